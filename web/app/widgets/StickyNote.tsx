import { t } from "../text";
import { Written } from "./note/Note";
import { colorIn, textIn } from "./option";
import type { ViewProps } from "./widget";

// View is a note, on paper of a colour.
export function View({ widget }: ViewProps) {
  const text = textIn(widget.options.text);
  const color = colorIn(widget.options.color);
  return (
    <div
      class={color ? "w w-note colored" : "w w-note"}
      role="region"
      aria-label={widget.name || t("widget.note")}
      tabIndex={0}
      ref={(e) => {
        if (e) e.style.setProperty("--own", color || "transparent");
      }}
    >
      {text ? <Written text={text} under={2} /> : <p class="w-none">{t("widget.note.none")}</p>}
    </div>
  );
}
