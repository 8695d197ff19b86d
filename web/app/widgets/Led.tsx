import { t } from "../text";
import { colorIn } from "./option";
import { look, nameOf } from "./use";
import type { ViewProps } from "./widget";

// View is a lamp on a panel.
export function View(p: ViewProps) {
  const known = !!p.values[0]?.at;
  const on = p.values[0]?.value === true;
  const words = known ? (on ? t("value.on") : t("value.off")) : t("value.none");
  const color = colorIn(p.widget.options.color);
  return (
    <div {...look("w-led", p)}>
      <span
        class={["w-led-lamp", on && "on", !known && "unknown"].filter(Boolean).join(" ")}
        role="img"
        aria-label={`${nameOf(p.widget, p.vars[0])}: ${words}`}
        ref={(e) => {
          if (color) e?.style.setProperty("--lamp", color);
          else e?.style.removeProperty("--lamp");
        }}
      />
      <span class={known ? "w-small" : "w-none"} aria-hidden="true">
        {words}
      </span>
    </div>
  );
}
