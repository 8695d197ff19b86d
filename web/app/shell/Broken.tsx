import { t } from "../text";
import { Button } from "../ui/Button";
import { Empty } from "../ui/Empty";

// Broken is shown instead of everything else: the application could not begin.
export function Broken({ text }: { text: string }) {
  return (
    <main class="alone">
      <h1 class="sr">Ardesia</h1>
      <Empty icon="warn" title={t("broken.title")} actions={<Button kind="main" onClick={() => location.reload()}>{t("again")}</Button>}>
        <p>{text}</p>
      </Empty>
    </main>
  );
}
