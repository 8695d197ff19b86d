// Controls set values of properties: one for each kind. They know no thing, so that pages of things and dashboards have the same.
import type { ComponentChildren } from "preact";
import type { Kind } from "../model/kind";
import { BoolControl, FreeControl, NumberControl, TextControl, TimeControl } from "./Basic";
import { ColorControl, ColoredControl, DimmedControl, LocationControl, TelevisionControl } from "./Composite";
import { ScheduleControl } from "./Schedule";

// A Setter is what each control gets: what to set, how, and whether it is under way.
export interface Setter {
  property: { id: string; name: string; type: string; min_value?: number; max_value?: number };
  zone: string; // of the thing
  unit: string | undefined;
  busy: boolean;
  wrong?: string | undefined; // why it could not be set the last time
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

// Control is the one that fits a kind.
export function Control({ kind, ...s }: Setter & { kind: Kind }) {
  return <>{controls[kind](s)}</>;
}
