// Settings of what only shows.
import { t } from "../text";
import { OnOff } from "./ControlSettings";
import { ChoiceOption, ColorOption, FlagOption, NumberOption, RangeOptions, TextOption } from "./field";
import { dashNames } from "./map/dash";
import { objectIn, textIn } from "./option";
import { spans } from "./range";
import { Sign, signs } from "./sign";
import type { SettingsProps } from "./widget";

type Some = Pick<SettingsProps, "widget" | "change">;

export function ValueSettings({ widget, change }: SettingsProps) {
  return <Units widget={widget} change={change} />;
}

function Units({ widget, change }: Some) {
  return (
    <div class="pair">
      <TextOption widget={widget} change={change} name="unit" label={t("widget.unit")} hint={t("widget.unit.hint")} most={32} />
      <NumberOption widget={widget} change={change} name="decimals" label={t("widget.decimals")} hint={t("widget.decimals.hint")} min={0} max={10} />
    </div>
  );
}

export function StatusSettings({ widget, change }: SettingsProps) {
  const icons = textIn(widget.options.style) === "icon";
  return (
    <div class="stack">
      <ChoiceOption
        widget={widget}
        change={change}
        name="style"
        label={t("widget.style")}
        otherwise="label"
        options={[
          { value: "label", label: t("widget.style.label") },
          { value: "icon", label: t("widget.style.icon") },
        ]}
      />
      <OnOff widget={widget} change={change} />
      <div class="pair">
        <ColorOption widget={widget} change={change} name="colorOn" label={t("widget.color.on")} otherwise="#1d6b3a" />
        <ColorOption widget={widget} change={change} name="colorOff" label={t("widget.color.off")} otherwise="#78898f" />
      </div>
      {icons && (
        <>
          <Signs label={t("widget.icon.on")} value={textIn(widget.options.iconOn)} onChange={(v) => change({ iconOn: v })} />
          <Signs label={t("widget.icon.off")} value={textIn(widget.options.iconOff)} onChange={(v) => change({ iconOff: v })} />
        </>
      )}
    </div>
  );
}

// Signs are all signs to choose one of, or none.
function Signs({ label, value, onChange }: { label: string; value: string; onChange: (name: string | undefined) => void }) {
  return (
    <fieldset class="w-signs">
      <legend>{label}</legend>
      {Object.keys(signs).map((name) => (
        <button key={name} type="button" aria-label={name} title={name} aria-pressed={value === name} onClick={() => onChange(value === name ? undefined : name)}>
          <Sign name={name} />
        </button>
      ))}
    </fieldset>
  );
}

export function GaugeSettings({ widget, change }: SettingsProps) {
  return (
    <div class="stack">
      <RangeOptions widget={widget} change={change} />
      <Units widget={widget} change={change} />
    </div>
  );
}

export function PercentageSettings({ widget, change }: SettingsProps) {
  return (
    <div class="stack">
      <RangeOptions widget={widget} change={change} />
      <NumberOption widget={widget} change={change} name="threshold" label={t("widget.threshold")} hint={t("widget.threshold.hint")} />
      <div class="pair">
        <ColorOption widget={widget} change={change} name="colorBelow" label={t("widget.color.below")} otherwise="#a4262c" />
        <ColorOption widget={widget} change={change} name="colorAbove" label={t("widget.color.above")} otherwise="#1d6b3a" />
      </div>
      <Signs label={t("widget.icon")} value={textIn(widget.options.icon)} onChange={(v) => change({ icon: v })} />
    </div>
  );
}

export function LedSettings({ widget, change }: SettingsProps) {
  return <ColorOption widget={widget} change={change} name="color" label={t("widget.color.lamp")} otherwise="#2e9e4f" />;
}

export function MapSettings({ widget, change }: SettingsProps) {
  return <Zoom widget={widget} change={change} />;
}

function Zoom({ widget, change }: Some) {
  return <NumberOption widget={widget} change={change} name="zoom" label={t("widget.zoom")} hint={t("widget.zoom.hint")} min={0} max={19} />;
}

export function AdvancedMapSettings({ widget, change }: SettingsProps) {
  const line = objectIn(widget.options.line);
  const pin = objectIn(widget.options.pin);
  const inLine: Some = { widget: { ...widget, options: line }, change: (some) => change({ line: { ...line, ...some } }) };
  return (
    <div class="stack">
      <RangeOption widget={widget} change={change} />
      <Zoom widget={widget} change={change} />
      <FlagOption widget={widget} change={change} name="showLine" label={t("widget.line")} otherwise={true} />
      <div class="pair">
        <ChoiceOption {...inLine} name="style" label={t("widget.line.style")} otherwise="solid" options={dashNames.map((d) => ({ value: d, label: t(`widget.line.${d}`) }))} />
        <ColorOption {...inLine} name="color" label={t("widget.line.color")} otherwise="#00696d" />
      </div>
      <Signs label={t("widget.pin")} value={textIn(pin.icon)} onChange={(icon) => change({ pin: { ...pin, icon } })} />
    </div>
  );
}

// RangeOption is how far back is shown at first.
export function RangeOption({ widget, change }: Some) {
  return <ChoiceOption widget={widget} change={change} name="range" label={t("widget.range")} hint={t("widget.range.hint")} otherwise="1d" options={spans.map((s) => ({ value: s.key, label: t(s.label) }))} />;
}

export function ChartSettings({ widget, change }: SettingsProps) {
  return <RangeOption widget={widget} change={change} />;
}
