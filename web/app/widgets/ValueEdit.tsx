import { Control } from "../control/Control";
import type { Kind } from "../model/kind";
import { Dialog } from "../ui/Dialog";
import type { Variable } from "./widget";

export interface EditProps {
  variable: Variable;
  kind: Kind;
  unit: string;
  busy: boolean;
  set: (value: unknown) => Promise<boolean>;
  onClose: () => void;
}

// Edit sets a value by the control of its kind. It closes when that is done.
export function Edit({ variable, kind, unit, busy, set, onClose }: EditProps) {
  const done = async (value: unknown): Promise<boolean> => {
    const is = await set(value);
    if (is) onClose();
    return is;
  };
  return (
    <Dialog title={variable.name} onClose={onClose}>
      <Control kind={kind} property={variable} zone={variable.thing_timezone.name} unit={unit || undefined} busy={busy} set={done} />
    </Dialog>
  );
}
