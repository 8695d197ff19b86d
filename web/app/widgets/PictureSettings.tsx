// Settings of what shows a picture.
import { useRef } from "preact/hooks";
import { usePicture } from "../model/picture";
import { t } from "../text";
import { useAct } from "../ui/act";
import { Button } from "../ui/Button";
import { Field } from "../ui/Field";
import { Note } from "../ui/Note";
import { ChoiceOption, FlagOption, NumberOption, TextOption } from "./field";
import { inPicture, type Marker, markersIn, placed, put, writeMarkers } from "./picture";
import { textIn } from "./option";
import type { SettingsProps } from "./widget";

export function ImageSettings({ widget, change, upload }: SettingsProps) {
  return (
    <div class="stack">
      <PictureOption widget={widget} change={change} upload={upload} />
      <div class="pair">
        <ChoiceOption
          widget={widget}
          change={change}
          name="fit"
          label={t("widget.fit")}
          otherwise="fit"
          options={[
            { value: "fit", label: t("widget.fit.fit") },
            { value: "fill", label: t("widget.fit.fill") },
          ]}
        />
        <NumberOption widget={widget} change={change} name="refresh" label={t("widget.refresh")} hint={t("widget.refresh.hint")} min={1} />
      </div>
      <FlagOption widget={widget} change={change} name="background" label={t("widget.background")} otherwise={false} />
    </div>
  );
}

// PictureOption is a picture: a file that is kept with the dashboard, or the address of one.
function PictureOption({ widget, change, upload }: Pick<SettingsProps, "widget" | "change" | "upload">) {
  const act = useAct();
  const file = (picked: File | undefined): void => {
    if (picked) void act.run(async () => change({ url: await upload(picked) }));
  };
  const ours = textIn(widget.options.url).startsWith("/");
  return (
    <div class="stack tight">
      <Field label={t("widget.picture")} hint={t("widget.picture.hint")} error={act.wrong.value || undefined}>
        {(f) => <input {...f} type="file" accept="image/png,image/jpeg,image/webp" aria-busy={act.busy.value || undefined} onChange={(e) => file(e.currentTarget.files?.[0])} />}
      </Field>
      {ours ? (
        <div>
          <Button small onClick={() => change({ url: undefined })}>
            {t("widget.picture.drop")}
          </Button>
        </div>
      ) : (
        <TextOption widget={widget} change={change} name="url" label={t("widget.picture.url")} hint={t("widget.picture.url.hint")} most={2048} placeholder="https://" />
      )}
    </div>
  );
}

const small = 1; // hundredths of the picture that an arrow moves a marker by
const large = 5; // with Shift

// ImageMapSettings places markers on a picture: each is dragged, or moved by arrows, or by its numbers.
export function ImageMapSettings({ widget, vars, change, upload }: SettingsProps) {
  const shown = usePicture(textIn(widget.options.url));
  const sheet = useRef<HTMLDivElement>(null);
  const all = placed(markersIn(widget.options.markersSettings), vars);
  const write = (property: string, some: Partial<Marker>): void => change({ markersSettings: writeMarkers(all.map((m) => (m.property === property ? { ...m, ...some } : m))) });
  const nameOf = (m: Marker): string => m.label || (vars.find((v) => v.id === m.property)?.name ?? "");
  const follow = (e: PointerEvent, m: Marker): void => {
    const box = sheet.current?.getBoundingClientRect();
    if (!box || !(e.currentTarget as Element).hasPointerCapture(e.pointerId)) return;
    write(m.property, { x: inPicture(((e.clientX - box.left) / box.width) * 100), y: inPicture(((e.clientY - box.top) / box.height) * 100) });
  };
  return (
    <div class="stack">
      <PictureOption widget={widget} change={change} upload={upload} />
      {!vars.length && <Note>{t("widget.markers.none")}</Note>}
      {vars.length > 0 && (
        <>
          <p class="hint" id="markers-hint">
            {t("widget.markers.hint")}
          </p>
          <div class="w-imap-edit" ref={sheet}>
            {shown ? <img src={shown} alt="" draggable={false} /> : <div class="w-imap-blank" />}
            {all.map((m) => (
              <button
                key={m.property}
                type="button"
                class="w-marker"
                aria-label={t("widget.marker.at", { name: nameOf(m), x: m.x, y: m.y })}
                aria-describedby="markers-hint"
                ref={(e) => put(e, m)}
                onPointerDown={(e) => e.currentTarget.setPointerCapture(e.pointerId)}
                onPointerMove={(e) => follow(e, m)}
                onKeyDown={(e) => {
                  const by = e.shiftKey ? large : small;
                  const to = { ArrowLeft: [-by, 0], ArrowRight: [by, 0], ArrowUp: [0, -by], ArrowDown: [0, by] }[e.key];
                  if (!to) return;
                  e.preventDefault();
                  write(m.property, { x: inPicture(m.x + (to[0] ?? 0)), y: inPicture(m.y + (to[1] ?? 0)) });
                }}
              >
                {nameOf(m)}
              </button>
            ))}
          </div>
          {all.map((m) => (
            <Field key={m.property} label={t("widget.marker.label", { name: vars.find((v) => v.id === m.property)?.name ?? "" })}>
              {(f) => <input {...f} type="text" autocomplete="off" maxLength={64} value={m.label} placeholder={vars.find((v) => v.id === m.property)?.name} onInput={(e) => write(m.property, { label: e.currentTarget.value })} />}
            </Field>
          ))}
        </>
      )}
    </div>
  );
}
