// Settings of what people write by.
import { t } from "../text";
import { Button } from "../ui/Button";
import { Field } from "../ui/Field";
import { FlagOption, RangeOptions, TextOption } from "./field";
import { flagIn, listIn, objectIn, textIn } from "./option";
import { isWhole } from "./use";
import type { SettingsProps } from "./widget";

export function SwitchSettings({ widget, change }: SettingsProps) {
  return (
    <div class="stack">
      <FlagOption widget={widget} change={change} name="showLabels" label={t("widget.labels")} otherwise={true} />
      {flagIn(widget.options.showLabels, true) && <OnOff widget={widget} change={change} />}
    </div>
  );
}

export function OnOff({ widget, change }: Pick<SettingsProps, "widget" | "change">) {
  return (
    <div class="pair">
      <TextOption widget={widget} change={change} name="labelOn" label={t("widget.label.on")} placeholder={t("value.on")} />
      <TextOption widget={widget} change={change} name="labelOff" label={t("widget.label.off")} placeholder={t("value.off")} />
    </div>
  );
}

export function PushSettings({ widget, change }: SettingsProps) {
  return (
    <div class="stack">
      <FlagOption widget={widget} change={change} name="showLabels" label={t("widget.labels")} otherwise={true} />
      {flagIn(widget.options.showLabels, true) && <TextOption widget={widget} change={change} name="label" label={t("widget.label")} placeholder={t("widget.push.do")} />}
    </div>
  );
}

export function SliderSettings({ widget, change }: SettingsProps) {
  return (
    <div class="stack">
      <RangeOptions widget={widget} change={change} step />
      <FlagOption widget={widget} change={change} name="showValue" label={t("widget.showvalue")} otherwise={true} />
    </div>
  );
}

export function StepperSettings({ widget, change }: SettingsProps) {
  return <RangeOptions widget={widget} change={change} step />;
}

export function TimeSettings({ widget, change }: SettingsProps) {
  return (
    <div class="stack">
      <FlagOption widget={widget} change={change} name="showDate" label={t("widget.showdate")} otherwise={true} />
      <FlagOption widget={widget} change={change} name="showTime" label={t("widget.showtime")} otherwise={true} />
    </div>
  );
}

export function MessengerSettings({ widget, change }: SettingsProps) {
  return (
    <div class="stack">
      <FlagOption widget={widget} change={change} name="showHistory" label={t("widget.messages.history")} hint={t("widget.messages.hint")} otherwise={true} />
      <TextOption widget={widget} change={change} name="placeholder" label={t("widget.placeholder")} placeholder={t("set.text")} />
    </div>
  );
}

const mostPicks = 100;

// PicksSettings are the values that can be chosen, each with what it is called.
export function PicksSettings({ widget, vars, change }: SettingsProps) {
  const all = listIn(widget.options.values).map(objectIn);
  const whole = isWhole(vars[0]);
  const write = (i: number, some: Record<string, unknown>): void => change({ values: all.map((one, n) => (n === i ? { ...one, ...some } : one)) });
  return (
    <div class="stack">
      {all.map((one, i) => (
        <div class="w-pick" key={i}>
          <Field label={t("widget.pick.label", { n: i + 1 })}>{(f) => <input {...f} type="text" autocomplete="off" maxLength={64} value={textIn(one.label)} onInput={(e) => write(i, { label: e.currentTarget.value })} />}</Field>
          <Field label={t("widget.pick.value", { n: i + 1 })}>
            {(f) =>
              whole ? (
                <input {...f} type="number" step={1} value={said(one.value)} onInput={(e) => write(i, { value: e.currentTarget.value === "" ? "" : Number(e.currentTarget.value) })} />
              ) : (
                <input {...f} type="text" autocomplete="off" maxLength={1024} value={said(one.value)} onInput={(e) => write(i, { value: e.currentTarget.value })} />
              )
            }
          </Field>
          <Button kind="quiet" icon="trash" label={t("widget.pick.drop", { n: i + 1 })} onClick={() => change({ values: all.filter((_, n) => n !== i) })} />
        </div>
      ))}
      {all.length < mostPicks && (
        <div>
          <Button small icon="plus" onClick={() => change({ values: [...all, { label: "", value: whole ? all.length : "" }] })}>
            {t("widget.pick.add")}
          </Button>
        </div>
      )}
    </div>
  );
}

const said = (v: unknown): string => (v === undefined || v === null ? "" : String(v));
