import type { ComponentType } from "preact";
import { useState } from "preact/hooks";
import type { ScheduleEditor } from "../control/Schedule";
import { hour, moment, now, span, wall } from "../format";
import { isOn, type Plan, readPlan } from "../model/schedule";
import { lang, t } from "../text";
import { Button } from "../ui/Button";
import { look, nameOf, useSet } from "./use";
import type { ViewProps } from "./widget";

type Editor = typeof ScheduleEditor extends (p: infer P) => unknown ? ComponentType<P> : never;

// View is a plan in words, whether it is on at this moment, and a way to change it.
export function View(p: ViewProps) {
  const s = useSet(p);
  const [Edit, edit] = useState<Editor | undefined>(undefined);
  const zone = s.variable?.thing_timezone.name ?? "UTC";
  const name = nameOf(p.widget, s.variable);
  const plan = readPlan(s.value);
  const has = s.known && plan.from > 0;
  const on = has && isOn(plan, wallSeconds(zone));
  return (
    <div {...look("w-schedule", p, s.busy)}>
      <p class={has ? "w-words" : "w-none"}>
        {has && <span class={on ? "dot on" : "dot"} aria-hidden="true" />}
        <b>{!s.known ? t("value.none") : !has ? t("widget.schedule.none") : on ? t("schedule.on") : t("schedule.off")}</b>
      </p>
      {has && <p class="w-small">{inWords(plan)}</p>}
      {!p.readOnly && (
        <Button small icon="clock" label={t("widget.schedule.edit", { name })} onClick={() => void import("../control/Schedule").then((m) => edit(() => m.ScheduleEditor))}>
          {t("widget.schedule.change")}
        </Button>
      )}
      {Edit && !p.readOnly && <Edit name={name} zone={zone} value={s.value} busy={s.busy} set={s.send} onClose={() => edit(undefined)} />}
    </div>
  );
}

// wallSeconds is what the clock of a thing shows now, which goes on each ten seconds.
function wallSeconds(zone: string): number {
  const at = Math.max(now.value, Date.now() - 10_000) / 1000;
  return Date.parse(wall(at, zone) + ":00Z") / 1000 + (at % 60);
}

const weekday = new Intl.DateTimeFormat(lang, { weekday: "short", timeZone: "UTC" });
const monthDay = new Intl.DateTimeFormat(lang, { day: "numeric", month: "long", timeZone: "UTC" });
const unit = ["second", "minute", "hour", "day"] as const;

// inWords says when a plan is on. Its times are wall clocks, counted as if they were of UTC.
function inWords(p: Plan): string {
  const time = hour(p.from * 1000, "UTC");
  const length = span(p.seconds);
  const when = {
    once: () => t("plan.once", { from: moment(p.from * 1000, "UTC"), span: length }),
    every: () => t("plan.every", { step: new Intl.NumberFormat(lang, { style: "unit", unit: unit[p.unit] ?? "second", unitDisplay: "long" }).format(p.step), from: moment(p.from * 1000, "UTC"), span: length }),
    // 2024-09-01 was a Sunday.
    weekly: () => t("plan.weekly", { days: p.days.map((d) => weekday.format(Date.UTC(2024, 8, 1 + d))).join(", "), time, span: length }),
    monthly: () => t("plan.monthly", { day: p.day, time, span: length }),
    yearly: () => t("plan.yearly", { date: monthDay.format(Date.UTC(2024, p.month - 1, p.day)), time, span: length }),
  }[p.repeat]();
  return p.to ? t("plan.until", { plan: when, end: moment(p.to * 1000, "UTC") }) : when;
}
