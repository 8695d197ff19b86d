import { useSignal } from "@preact/signals";
import { t } from "../text";
import { Button } from "./Button";
import { complain } from "./Toast";

// Copy puts a text into the clipboard.
export function Copy({ text, label, words }: { text: string; label: string; words?: string }) {
  const done = useSignal(false);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      done.value = true;
      setTimeout(() => (done.value = false), 2000);
    } catch {
      complain(t("copy.failed"));
    }
  };
  return (
    <>
      <Button small kind={words ? "plain" : "quiet"} icon={done.value ? "check" : "copy"} label={label} onClick={() => void copy()}>
        {words && (done.value ? t("copied") : words)}
      </Button>
      <span class="sr" role="status">
        {done.value ? t("copied") : ""}
      </span>
    </>
  );
}

// CopyText is a text to copy, shown as it is.
export function CopyText({ text, label, big }: { text: string; label: string; big?: boolean }) {
  return (
    <span class={big ? "copytext big" : "copytext"}>
      <code>{text}</code>
      <Copy text={text} label={label} />
    </span>
  );
}

// Code is some lines of a program or a command, to copy as a whole.
export function Code({ text, label, tall }: { text: string; label: string; tall?: boolean }) {
  return (
    <figure class={tall ? "code tall" : "code"}>
      <figcaption>
        <span>{label}</span>
        <Copy text={text} label={t("copy.what", { what: label })} />
      </figcaption>
      <pre tabIndex={0} role="region" aria-label={label}>
        <code>{text}</code>
      </pre>
    </figure>
  );
}
