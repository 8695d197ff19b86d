import { useState } from "preact/hooks";
import { num } from "../format";
import { kindOf } from "../model/kind";
import { usePicture } from "../model/picture";
import { t } from "../text";
import { type Marker, markersIn, pictureOf, placed, put } from "./picture";
import { textIn } from "./option";
import { look, nameOf, unitIn, useBox, useSet } from "./use";
import type { ViewProps } from "./widget";

// View is a picture with the values of variables where they are.
export function View(p: ViewProps) {
  const url = pictureOf(textIn(p.widget.options.url), p.elsewhere);
  const shown = usePicture(url);
  const box = useBox<HTMLDivElement>();
  const [ratio, setRatio] = useState(0);
  const width = ratio ? Math.min(box.width, box.height * ratio) : box.width;
  const height = ratio ? width / ratio : box.height;
  return (
    <div {...look("w-imap", p)} ref={box.ref}>
      <div
        class="w-imap-in"
        ref={(e) => {
          if (!e) return;
          e.style.inlineSize = width + "px";
          e.style.blockSize = height + "px";
        }}
      >
        {shown && <img src={shown} alt={t("widget.image.of", { name: nameOf(p.widget) })} onLoad={(e) => setRatio(e.currentTarget.naturalWidth / e.currentTarget.naturalHeight)} onError={() => setRatio(0)} />}
        {(url === "" || shown === "") && <p class="w-none">{t(url ? "widget.image.failed" : "widget.image.none")}</p>}
        {placed(markersIn(p.widget.options.markersSettings), p.vars).map((m) => (
          <Placed key={m.property} p={p} m={m} />
        ))}
      </div>
    </div>
  );
}

function Placed({ p, m }: { p: ViewProps; m: Marker }) {
  const s = useSet(
    p,
    p.vars.findIndex((v) => v.id === m.property),
  );
  const v = s.variable;
  if (!v) return null;
  const flag = kindOf(v.type) === "bool";
  const name = m.label || v.name;
  const on = s.value === true;
  const words = !s.known ? t("value.none") : flag ? t(on ? "value.on" : "value.off") : typeof s.value === "number" ? `${num(s.value)} ${unitIn(p.widget, v)}`.trim() : String(s.value);
  const looks = ["w-marker", flag && (on ? "on" : "off"), !s.known && "unknown"].filter(Boolean).join(" ");
  const inside = (
    <>
      {flag && <span class={on ? "dot on" : "dot"} aria-hidden="true" />}
      <span aria-hidden="true">{flag ? name : words}</span>
    </>
  );
  if (flag && !p.readOnly && v.permission === "READ_WRITE")
    return (
      <button type="button" class={looks} role="switch" aria-checked={on} aria-label={name} aria-busy={s.busy || undefined} title={`${name}: ${words}`} ref={(e) => put(e, m)} onClick={() => void s.send(!on)}>
        {inside}
      </button>
    );
  return (
    <span class={looks} role="img" aria-label={`${name}: ${words}`} title={`${name}: ${words}`} ref={(e) => put(e, m)}>
      {inside}
    </span>
  );
}
