import { useSignal } from "@preact/signals";
import type { ComponentChildren } from "preact";
import { bounds, fits, type Net, type Network } from "../../serial/message";
import { t } from "../../text";
import { Field } from "../../ui/Field";

export type Way = Net["way"];

const another = "\n"; // no network has that name

// A Wifi is what somebody says of a network; the password is nowhere else, and goes with the page.
interface Props {
  ways: Way[]; // that the board has
  networks: Network[]; // that it sees
  wrong?: string | undefined; // with what was said the last time
  children: (net: () => Net) => ComponentChildren;
}

// NetFields asks how the board is to be connected.
export function NetFields({ ways, networks, wrong, children }: Props) {
  const way = useSignal<Way>(networks.length || !ways[0] ? "wifi" : ways.includes("eth") ? "eth" : ways[0]);
  const chosen = useSignal(networks[0]?.ssid ?? another);
  const typed = useSignal("");
  const password = useSignal("");
  const apn = useSignal("");
  const pin = useSignal("");
  const login = useSignal("");
  const net = (): Net => {
    const w = way.value;
    if (w === "eth") return { way: w };
    if (w === "wifi") return { way: w, ssid: chosen.value === another ? typed.value : chosen.value, password: password.value };
    return { way: w, apn: apn.value, pin: pin.value, login: login.value, password: password.value };
  };
  const ssids = [...new Set(networks.map((n) => n.ssid))];
  const long = (s: string, most: number): string | undefined => (fits(s, most) ? undefined : t("net.long", { most }));
  return (
    <>
      {ways.length > 1 && (
        <Field label={t("net.way")}>
          {(f) => (
            <select {...f} value={way.value} onChange={(e) => (way.value = e.currentTarget.value as Way)}>
              {ways.map((w) => (
                <option key={w} value={w}>
                  {t(`net.way.${w}`)}
                </option>
              ))}
            </select>
          )}
        </Field>
      )}
      {way.value === "wifi" && (
        <div class="pair">
          {ssids.length > 0 && (
            <Field label={t("net.wifi")} hint={t("net.wifi.hint")}>
              {(f) => (
                <select {...f} value={chosen.value} onChange={(e) => (chosen.value = e.currentTarget.value)}>
                  {ssids.map((s) => (
                    <option key={s} value={s}>
                      {s}
                    </option>
                  ))}
                  <option value={another}>{t("net.another")}</option>
                </select>
              )}
            </Field>
          )}
          {chosen.value === another && (
            <Field label={t("net.name")} error={long(typed.value, bounds.ssid)}>
              {(f) => <input {...f} type="text" required maxLength={bounds.ssid} autocomplete="off" autocapitalize="none" spellcheck={false} value={typed.value} onInput={(e) => (typed.value = e.currentTarget.value)} />}
            </Field>
          )}
        </div>
      )}
      {way.value !== "wifi" && way.value !== "eth" && (
        <div class="pair">
          <Field label={t("net.apn")}>{(f) => <input {...f} type="text" required maxLength={bounds.apn} autocomplete="off" autocapitalize="none" value={apn.value} onInput={(e) => (apn.value = e.currentTarget.value)} />}</Field>
          <Field label={t("net.pin")}>{(f) => <input {...f} type="password" inputMode="numeric" maxLength={bounds.pin} autocomplete="off" value={pin.value} onInput={(e) => (pin.value = e.currentTarget.value)} />}</Field>
          <Field label={t("net.login")}>{(f) => <input {...f} type="text" maxLength={bounds.login} autocomplete="off" autocapitalize="none" value={login.value} onInput={(e) => (login.value = e.currentTarget.value)} />}</Field>
        </div>
      )}
      {way.value !== "eth" && (
        <Field label={t("net.password")} hint={t("net.password.hint")} error={wrong ?? long(password.value, bounds.wifi)}>
          {(f) => <input {...f} type="password" maxLength={way.value === "wifi" ? bounds.wifi : bounds.login} autocomplete="off" value={password.value} onInput={(e) => (password.value = e.currentTarget.value)} />}
        </Field>
      )}
      {children(net)}
    </>
  );
}
