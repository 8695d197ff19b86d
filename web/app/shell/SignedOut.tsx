import { useSignal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { signedOut } from "../api";
import { back, signIn } from "../session";
import { t } from "../text";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";

// SignedOut is shown above everything else when the session has ended: what was typed stays, and goes on once
// somebody is signed in again in another tab.
export function SignedOut() {
  if (!signedOut.value) return null;
  return <Ended />;
}

function Ended() {
  const asked = useSignal(false);
  useEffect(() => {
    const look = (): void => {
      if (document.visibilityState === "visible") void back();
    };
    document.addEventListener("visibilitychange", look);
    addEventListener("focus", look);
    return () => {
      document.removeEventListener("visibilitychange", look);
      removeEventListener("focus", look);
    };
  }, []);
  const elsewhere = (): void => {
    asked.value = true;
    open("/app/signin?to=" + encodeURIComponent("/app/"), "_blank", "noopener");
  };
  return (
    <Dialog
      title={t("out.title")}
      onClose={() => undefined}
      sure
      actions={
        <>
          <Button onClick={signIn}>{t("out.here")}</Button>
          <Button kind="main" onClick={elsewhere}>
            {t("out.tab")}
          </Button>
        </>
      }
    >
      <div class="stack">
        <p>{t("out.text")}</p>
        {asked.value && (
          <div>
            <Button icon="check" onClick={() => void back()}>
              {t("out.done")}
            </Button>
          </div>
        )}
      </div>
    </Dialog>
  );
}
