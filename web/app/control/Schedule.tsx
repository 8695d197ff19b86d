import { useSignal } from "@preact/signals";
import { type Plan, readPlan, type Repeat, fromField, toField, writePlan } from "../model/schedule";
import { lastOf } from "../model/values";
import { lang, t } from "../text";
import { Button } from "../ui/Button";
import { Dialog } from "../ui/Dialog";
import { Check, Field } from "../ui/Field";
import { Note } from "../ui/Note";
import type { Setter } from "./Control";

export function ScheduleControl({ property, zone, busy, wrong, set }: Setter) {
  const open = useSignal(false);
  return (
    <>
      <div>
        <Button small icon="clock" onClick={() => (open.value = true)}>
          {t("schedule.edit")}
        </Button>
      </div>
      {open.value && <ScheduleEditor name={property.name} zone={zone} value={lastOf(property.id).peek().value} busy={busy} wrong={wrong} set={set} onClose={() => (open.value = false)} />}
    </>
  );
}

interface EditorProps {
  name: string;
  zone: string;
  value: unknown;
  busy: boolean;
  wrong?: string | undefined; // why it could not be set, where that is not said elsewhere
  set: (value: unknown) => Promise<boolean>;
  onClose: () => void;
}

const units = [1, 60, 3600, 86_400];

// ScheduleEditor is where a plan is made and changed.
export function ScheduleEditor({ name, zone, value, busy, wrong: refused, set, onClose }: EditorProps) {
  const plan = useSignal<Plan>(readPlan(value));
  const wrong = useSignal("");
  const p = plan.value;
  const change = (some: Partial<Plan>): void => void (plan.value = { ...plan.value, ...some });
  const send = async (): Promise<void> => {
    wrong.value = "";
    if (!p.from) wrong.value = t("schedule.needs.from");
    else if (p.seconds <= 0) wrong.value = t("schedule.needs.length");
    else if (p.repeat === "weekly" && !p.days.length) wrong.value = t("schedule.needs.days");
    else if (await set(writePlan(p))) onClose();
  };
  const unit = p.seconds && p.seconds % 3600 === 0 ? 3600 : p.seconds % 60 === 0 ? 60 : 1;
  return (
    <Dialog
      title={name}
      wide
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button kind="main" type="submit" form="schedule" busy={busy}>
            {t("set")}
          </Button>
        </>
      }
    >
      <form
        id="schedule"
        class="stack"
        onSubmit={(e) => {
          e.preventDefault();
          void send();
        }}
      >
        {(wrong.value || refused) && <Note kind="bad">{wrong.value || refused}</Note>}
        <p class="soft">{t("schedule.zone", { zone })}</p>
        <div class="pair">
          <Field label={t("schedule.from")}>{(f) => <input {...f} type="datetime-local" required value={toField(p.from)} onInput={(e) => change({ from: fromField(e.currentTarget.value) })} />}</Field>
          <Field label={t("schedule.length")}>
            {(f) => (
              <div class="setter-row">
                <input {...f} type="number" min={1} step={1} value={p.seconds / unit || ""} onInput={(e) => change({ seconds: Number(e.currentTarget.value) * unit })} />
                <select aria-label={t("schedule.unit")} value={String(unit)} onChange={(e) => change({ seconds: Math.max(1, Math.round(p.seconds / unit)) * Number(e.currentTarget.value) })}>
                  <option value="1">{t("unit.seconds")}</option>
                  <option value="60">{t("unit.minutes")}</option>
                  <option value="3600">{t("unit.hours")}</option>
                </select>
              </div>
            )}
          </Field>
        </div>
        <Field label={t("schedule.repeat")}>
          {(f) => (
            <select {...f} value={p.repeat} onChange={(e) => change({ repeat: e.currentTarget.value as Repeat })}>
              {(["once", "every", "weekly", "monthly", "yearly"] as const).map((r) => (
                <option key={r} value={r}>
                  {t(`repeat.${r}`)}
                </option>
              ))}
            </select>
          )}
        </Field>
        {p.repeat === "every" && (
          <Field label={t("schedule.step")}>
            {(f) => (
              <div class="setter-row">
                <input {...f} type="number" min={1} step={1} value={p.step} onInput={(e) => change({ step: Number(e.currentTarget.value) })} />
                <select aria-label={t("schedule.unit")} value={String(p.unit)} onChange={(e) => change({ unit: Number(e.currentTarget.value) })}>
                  {(["unit.seconds", "unit.minutes", "unit.hours", "unit.days"] as const).map((k, i) => (
                    <option key={units[i]} value={String(i)}>
                      {t(k)}
                    </option>
                  ))}
                </select>
              </div>
            )}
          </Field>
        )}
        {p.repeat === "weekly" && <Days days={p.days} onChange={(days) => change({ days })} />}
        {(p.repeat === "monthly" || p.repeat === "yearly") && (
          <div class="pair">
            <Field label={t("schedule.day")}>{(f) => <input {...f} type="number" min={1} max={31} step={1} value={p.day} onInput={(e) => change({ day: Number(e.currentTarget.value) })} />}</Field>
            {p.repeat === "yearly" && (
              <Field label={t("schedule.month")}>
                {(f) => (
                  <select {...f} value={String(p.month)} onChange={(e) => change({ month: Number(e.currentTarget.value) })}>
                    {Array.from({ length: 12 }, (_, i) => (
                      <option key={i} value={String(i + 1)}>
                        {new Intl.DateTimeFormat(lang, { month: "long", timeZone: "UTC" }).format(Date.UTC(2024, i, 1))}
                      </option>
                    ))}
                  </select>
                )}
              </Field>
            )}
          </div>
        )}
        {p.repeat !== "once" && (
          <>
            <Check label={t("schedule.never")} checked={p.to === 0} onChange={(never) => change({ to: never ? 0 : p.from + 30 * 86_400 })} />
            {p.to !== 0 && <Field label={t("schedule.to")}>{(f) => <input {...f} type="datetime-local" value={toField(p.to)} onInput={(e) => change({ to: fromField(e.currentTarget.value) })} />}</Field>}
          </>
        )}
      </form>
    </Dialog>
  );
}

function Days({ days, onChange }: { days: number[]; onChange: (days: number[]) => void }) {
  return (
    <fieldset class="days">
      <legend>{t("schedule.days")}</legend>
      {[1, 2, 3, 4, 5, 6, 0].map((d) => (
        <label key={d}>
          <input type="checkbox" checked={days.includes(d)} onChange={(e) => onChange(e.currentTarget.checked ? [...days, d] : days.filter((one) => one !== d))} />
          {/* 2024-09-01 was a Sunday. */}
          {new Intl.DateTimeFormat(lang, { weekday: "short", timeZone: "UTC" }).format(Date.UTC(2024, 8, 1 + d))}
        </label>
      ))}
    </fieldset>
  );
}
