import { Control } from "../../control/Control";
import type { Kind } from "../../model/kind";
import { type Property, publish, type Thing } from "../../model/thing";
import { useAct } from "../../ui/act";
import { Note } from "../../ui/Note";

// Publish sets a property, by a control that fits its type. What the server refuses is said in its words.
export function Publish({ thing, property, kind, unit }: { thing: Thing; property: Property; kind: Kind; unit: string | undefined }) {
  const act = useAct();
  const set = (value: unknown): Promise<boolean> => act.run(() => publish(thing.id, property.id, value));
  return (
    <div class="publish">
      <Control kind={kind} property={property} zone={thing.timezone} unit={unit} busy={act.busy.value} wrong={act.wrong.value} set={set} />
      {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
    </div>
  );
}
