// What a kind of widget is: the contract between dashboards, which place, link and feed widgets, and the kinds, each of
// which shows one. A dashboard draws the frame, the name, the marks and what is said where nothing fits; a kind
// fills the rest.
//
// A View is there only while it has something to show: at least one variable that its kind takes, or a kind that
// takes none. Its box is a container (container-type: size, named tile), so that its style sheet asks for the room that it
// has, and not for the screen: @container tile (width < 10rem).
import type { ComponentType } from "preact";
import type { Bins, Changes } from "../chart/series";
import type { Options, Variable, Widget } from "../model/dashboard";
import type { Kind as PropertyKind } from "../model/kind";
import type { Last } from "../model/values";
import type { Key } from "../text";

export type { Last, Options, Variable, Widget };

// A Group is where the gallery shows a kind.
export type Group = "control" | "value" | "chart" | "other";

export interface Kind {
  type: string; // as the API spells it, such as "Push Button"
  title: Key;
  about: Key; // one line for the gallery
  group: Group;
  icon: string; // lines of 24 by 24 units, as those of ui/Icon
  size: { w: number; h: number; minW: number; minH: number }; // in cells of the wide grid, which are about 40 px square
  most: number; // variables: 0, 1, 5…
  takes: readonly PropertyKind[]; // what its variables may be
  needsWrite: boolean; // people write by it: its variables must be writable
  options?: Options; // what a new one begins with
  view: () => Promise<{ View: ComponentType<ViewProps> }>;
  settings?: () => Promise<{ Settings: ComponentType<SettingsProps> }>; // loaded when somebody edits
}

// Past tells of values of before, to members and on public links alike. Times are in seconds since 1970.
export interface Past {
  // bins are numbers in even steps. aggregation is what middle has: AVG if left out, else one that the series API knows.
  // On a public link low and high are middle, and only kinds that show history are answered.
  bins(variable: Variable, from: number, to: number, signal: AbortSignal, aggregation?: string): Promise<Bins>;
  // changes are the values of what is no number, the oldest first.
  changes(variable: Variable, from: number, to: number, signal: AbortSignal): Promise<Changes>;
}

export interface ViewProps {
  widget: Widget;
  vars: Variable[]; // those that the kind takes, in the widget's order
  values: Last[]; // the newest of each of vars; at "" where there was none yet
  stale: boolean; // nothing tells of newer values: what is shown must not look live
  readOnly: boolean; // a viewer, a guest who only reads, a public link, edit mode, or no property that people may write
  // set writes a value, as people do. false: it failed, and that was said already.
  set(variable: Variable, value: unknown): Promise<boolean>;
  past?: Past; // left out where there is none, as in the gallery
  // elsewhere is where this server gives the picture of another one that the option url names; left out where it gives none.
  elsewhere?: string;
  mobile: boolean; // the arrangement for phones is shown
}

export interface SettingsProps {
  widget: Widget;
  vars: Variable[];
  change(options: Options): void; // some options anew; the others stay. undefined takes one away
  upload(picture: Blob): Promise<string>; // keeps a picture with the dashboard; gives its address, to be shown by usePicture
}
