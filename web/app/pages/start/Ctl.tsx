import { useQuery } from "../../data";
import { getPlace } from "../../model/place";
import { t } from "../../text";
import { Code } from "../../ui/Copy";
import { Note } from "../../ui/Note";

// Ctl says how a board with a secure element comes in where the browser does not reach its port: by the command line client.
export function Ctl() {
  const place = useQuery("place", getPlace).data.value;
  const at = place?.web ?? location.host;
  const login = `ardesiactl login https://${at}${place?.ca ? " --ca ca.pem" : ""}`;
  const onboard = "ardesiactl device onboard --port /dev/ttyACM0 --name my-board --connection wifi --wifi NETWORK --password-file wifi.txt";
  return (
    <div class="stack">
      <p>{t("usb.text")}</p>
      <ol class="steps">
        <li>
          <p>{t("usb.sketch")}</p>
        </li>
        <li>
          <p>{t("usb.login")}</p>
          {place?.ca && (
            <p>
              <a href="/ca.pem" download="ca.pem">
                {t("usb.ca")}
              </a>
            </p>
          )}
          <Code text={login} label={t("usb.login.command")} />
        </li>
        <li>
          <p>{t("usb.onboard")}</p>
          <Code text={onboard} label={t("usb.onboard.command")} />
        </li>
      </ol>
      <Note>{t("usb.after")}</Note>
    </div>
  );
}
