import type { ComponentChildren } from "preact";
import type { Kind } from "../../../model/kind";
import { type Property, publish, type Thing } from "../../../model/thing";
import { useAct } from "../../../ui/act";
import { Note } from "../../../ui/Note";
import { BoolControl, FreeControl, NumberControl, TextControl, TimeControl } from "./Basic";
import { ColorControl, DimmedControl, ColoredControl, TelevisionControl, LocationControl } from "./Composite";
import { ScheduleControl } from "./Schedule";

// A Setter is what each control gets: what to set, how, and whether it is under way.
export interface Setter {
  thing: Thing;
  property: Property;
  unit: string | undefined;
  busy: boolean;
  set: (value: unknown) => Promise<boolean>;
}

const controls: Record<Kind, (s: Setter) => ComponentChildren> = {
  bool: (s) => <BoolControl {...s} />,
  int: (s) => <NumberControl {...s} />,
  float: (s) => <NumberControl {...s} />,
  time: (s) => <TimeControl {...s} />,
  text: (s) => <TextControl {...s} />,
  location: (s) => <LocationControl {...s} />,
  color: (s) => <ColorControl {...s} />,
  dimmed: (s) => <DimmedControl {...s} />,
  colored: (s) => <ColoredControl {...s} />,
  television: (s) => <TelevisionControl {...s} />,
  schedule: (s) => <ScheduleControl {...s} />,
  free: (s) => <FreeControl {...s} />,
};

// Publish sets a property, by a control that fits its type. What the server refuses is said in its words.
export function Publish({ thing, property, kind, unit }: { thing: Thing; property: Property; kind: Kind; unit: string | undefined }) {
  const act = useAct();
  const set = (value: unknown): Promise<boolean> => act.run(() => publish(thing.id, property.id, value));
  return (
    <div class="publish">
      {controls[kind]({ thing, property, unit, busy: act.busy.value, set })}
      {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
    </div>
  );
}
