import { useEffect } from "preact/hooks";
import { t } from "../text";
import { Button } from "../ui/Button";
import { Empty } from "../ui/Empty";

// Broken is shown instead of everything else: the application could not begin. It does once the server is there.
export function Broken({ text }: { text: string }) {
  useEffect(() => {
    const timer = setInterval(() => {
      fetch("/healthz", { cache: "no-store" }).then(
        (r) => r.ok && location.reload(),
        () => undefined,
      );
    }, 5000);
    return () => clearInterval(timer);
  }, []);
  return (
    <main class="alone">
      <h1 class="sr">Ardesia</h1>
      <Empty icon="warn" title={t("broken.title")} actions={<Button kind="main" onClick={() => location.reload()}>{t("again")}</Button>}>
        <p>{text}</p>
      </Empty>
    </main>
  );
}
