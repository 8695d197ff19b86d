import type { Thing } from "../../model/thing";
import { t } from "../../text";
import { Field } from "../../ui/Field";

// Stand says which thing, by its ID, stands for one that is called by its own ID or as a template does. Of what is not in it nobody
// has chosen yet.
export type Stand = Readonly<Record<string, string>>;

interface Props {
  of: { id: string; name: string }[];
  things: Thing[];
  stand: Stand;
  choose: (stand: Stand) => void;
  wrong?: (of: string, by: Thing) => string; // why a thing cannot stand for another; "" if it can
}

// StandIns asks for each of some things which of ours stands for it.
export function StandIns({ of, things, stand, choose, wrong }: Props) {
  return of.map(({ id, name }) => {
    const by = stand[id] ?? "";
    const chosen = things.find((x) => x.id === by);
    return (
      <Field key={id} label={t("import.thing", { name })} error={(chosen && wrong?.(id, chosen)) || undefined}>
        {(f) => (
          <select {...f} required value={by} onChange={(e) => choose({ ...stand, [id]: e.currentTarget.value })}>
            {!by && <option value="">{t("import.choose")}</option>}
            {by && !chosen && <option value={by}>{name}</option>}
            {things.map((x) => (
              <option key={x.id} value={x.id}>
                {x.name}
              </option>
            ))}
          </select>
        )}
      </Field>
    );
  });
}
