import { t, type Key } from "../../text";
import { Icon } from "../../ui/Icon";

// Steps are what is done one after the other, and how far that is.
export function Steps({ all, now, label }: { all: Key[]; now: Key; label: string }) {
  const at = all.indexOf(now);
  return (
    <>
      <ol class="progress" aria-label={label}>
        {all.map((key, i) => (
          <li key={key} class={i < at ? "step done" : i === at ? "step now" : "step"} aria-current={i === at ? "step" : undefined}>
            <span class="step-mark">{i < at && <Icon name="check" size={16} />}</span>
            {t(key)}
          </li>
        ))}
      </ol>
      <p class="sr" role="status">
        {t(now)}
      </p>
    </>
  );
}
