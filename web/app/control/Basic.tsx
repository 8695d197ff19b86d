import { useSignal } from "@preact/signals";
import { isOld } from "../data";
import { fromWall, wall } from "../format";
import { kindOf } from "../model/kind";
import { lastOf } from "../model/values";
import { t } from "../text";
import { Button } from "../ui/Button";
import type { Setter } from "./Control";
import { Toggle } from "./Toggle";

export function BoolControl({ property, busy, set }: Setter) {
  const on = lastOf(property.id).value.value === true;
  return (
    <span class={isOld() ? "big-toggle old" : "big-toggle"}>
      <Toggle on={on} label={property.name} busy={busy} onChange={(v) => void set(v)} />
    </span>
  );
}

// NumberControl is a field, with a slider where the property has both ends or is a percentage.
export function NumberControl({ property, unit, busy, set }: Setter) {
  const last = lastOf(property.id).value.value;
  const typed = useSignal<string | undefined>(undefined);
  const percent = /^PERCENTAGE/.test(property.type);
  const min = property.min_value ?? (percent ? 0 : undefined);
  const max = property.max_value ?? (percent ? 100 : undefined);
  const whole = kindOf(property.type) === "int";
  const value = typed.value ?? (typeof last === "number" ? String(last) : "");
  const send = async (text: string): Promise<void> => {
    if (text !== "" && (await set(Number(text)))) typed.value = undefined;
  };
  return (
    <form
      class="setter"
      onSubmit={(e) => {
        e.preventDefault();
        void send(value);
      }}
    >
      {min !== undefined && max !== undefined && max > min && (
        <input
          type="range"
          aria-label={t("set.slider", { name: property.name })}
          min={min}
          max={max}
          step={whole ? 1 : "any"}
          value={value === "" ? String(min) : value}
          onInput={(e) => (typed.value = whole ? e.currentTarget.value : String(Math.round(Number(e.currentTarget.value) * 100) / 100))}
          onChange={() => void send(typed.value ?? "")}
        />
      )}
      <div class="setter-row">
        <input type="number" aria-label={unit ? `${property.name}, ${unit}` : property.name} step={whole ? 1 : "any"} inputMode={whole ? "numeric" : "decimal"} value={value} onInput={(e) => (typed.value = e.currentTarget.value)} />
        <Button small type="submit" icon="send" busy={busy}>
          {t("set")}
        </Button>
      </div>
    </form>
  );
}

export function TextControl({ property, busy, set }: Setter) {
  const typed = useSignal("");
  return (
    <form
      class="setter"
      onSubmit={(e) => {
        e.preventDefault();
        void set(typed.value).then((done) => done && (typed.value = ""));
      }}
    >
      <div class="setter-row">
        <input type="text" aria-label={property.name} placeholder={t("set.text")} maxLength={1024} value={typed.value} onInput={(e) => (typed.value = e.currentTarget.value)} />
        <Button small type="submit" icon="send" busy={busy}>
          {t("set")}
        </Button>
      </div>
    </form>
  );
}

// TimeControl sets seconds since 1970, as a clock in the thing's time zone shows them.
export function TimeControl({ zone, property, busy, set }: Setter) {
  const last = lastOf(property.id).value.value;
  const typed = useSignal<string | undefined>(undefined);
  const value = typed.value ?? (typeof last === "number" && last > 0 ? wall(last, zone) : "");
  return (
    <form
      class="setter"
      onSubmit={(e) => {
        e.preventDefault();
        if (value) void set(fromWall(value, zone)).then((done) => done && (typed.value = undefined));
      }}
    >
      <div class="setter-row">
        <input type="datetime-local" aria-label={`${property.name}, ${zone}`} value={value} onInput={(e) => (typed.value = e.currentTarget.value)} />
        <Button small type="submit" icon="send" busy={busy}>
          {t("set")}
        </Button>
      </div>
    </form>
  );
}

// FreeControl sets any object, as JSON.
export function FreeControl({ property, busy, set }: Setter) {
  const last = lastOf(property.id).value.value;
  const typed = useSignal<string | undefined>(undefined);
  const wrong = useSignal("");
  const value = typed.value ?? (last ? JSON.stringify(last, null, 1) : "{}");
  const send = async (): Promise<void> => {
    let read: unknown;
    try {
      read = JSON.parse(value);
    } catch {
      wrong.value = t("set.json");
      return;
    }
    wrong.value = "";
    if (await set(read)) typed.value = undefined;
  };
  return (
    <form
      class="setter"
      onSubmit={(e) => {
        e.preventDefault();
        void send();
      }}
    >
      <textarea rows={3} aria-label={property.name} spellcheck={false} value={value} onInput={(e) => (typed.value = e.currentTarget.value)} />
      {wrong.value && (
        <p class="field-error" role="alert">
          {wrong.value}
        </p>
      )}
      <div>
        <Button small type="submit" icon="send" busy={busy}>
          {t("set")}
        </Button>
      </div>
    </form>
  );
}
