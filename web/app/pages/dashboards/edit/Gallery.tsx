import { t } from "../../../text";
import { Dialog } from "../../../ui/Dialog";
import { Drawing } from "../../../ui/Icon";
import { kinds } from "../../../widgets";
import type { Group, Kind } from "../../../widgets/widget";

const groups: Group[] = ["control", "value", "chart", "other"];

// Gallery shows all kinds of widgets, to add one.
export function Gallery({ onPick, onClose }: { onPick: (k: Kind) => void; onClose: () => void }) {
  return (
    <Dialog title={t("board.add")} onClose={onClose} wide>
      <div class="stack">
        {groups.map((g) => {
          const all = kinds.filter((k) => k.group === g);
          if (!all.length) return null;
          return (
            <section key={g} class="gallery">
              <h3>{t(`gallery.${g}`)}</h3>
              <ul>
                {all.map((k) => (
                  <li key={k.type}>
                    <button type="button" class="kind" onClick={() => onPick(k)}>
                      <Drawing lines={k.icon} size={24} />
                      <span>
                        <b>{t(k.title)}</b>
                        <small>{t(k.about)}</small>
                      </span>
                    </button>
                  </li>
                ))}
              </ul>
            </section>
          );
        })}
      </div>
    </Dialog>
  );
}
