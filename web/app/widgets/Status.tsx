import { t } from "../text";
import { colorIn, textIn } from "./option";
import { Sign, signs } from "./sign";
import { look, nameOf } from "./use";
import type { ViewProps } from "./widget";

// View is one of two states, in words, a colour and a sign.
export function View(p: ViewProps) {
  const { style, labelOn, labelOff, colorOn, colorOff, iconOn, iconOff } = p.widget.options;
  const known = !!p.values[0]?.at;
  const on = p.values[0]?.value === true;
  const words = !known ? t("value.none") : on ? textIn(labelOn) || t("value.on") : textIn(labelOff) || t("value.off");
  const icon = textIn(on ? iconOn : iconOff);
  const color = colorIn(on ? colorOn : colorOff);
  const withIcon = textIn(style) === "icon";
  return (
    <div
      {...look(["w-status", known ? (on ? "on" : "off") : "unknown", color && "own"].filter(Boolean).join(" "), p)}
      ref={(e) => {
        if (e) e.style.setProperty("--own", color || "transparent");
      }}
    >
      {withIcon && known ? (
        <span class="w-status-sign" role="img" aria-label={`${nameOf(p.widget, p.vars[0])}: ${words}`}>
          <Sign name={icon in signs ? icon : on ? "check" : "cross"} />
        </span>
      ) : (
        <span class="w-status-dot" aria-hidden="true" />
      )}
      <span class={known ? "w-words" : "w-none"} aria-hidden={withIcon && known ? "true" : undefined}>
        {words}
      </span>
    </div>
  );
}
