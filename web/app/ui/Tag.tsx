import { useSignal } from "@preact/signals";
import { words } from "../api";
import { t } from "../text";
import { Button } from "./Button";
import { Dialog } from "./Dialog";
import { Field } from "./Field";
import { Icon } from "./Icon";
import { Note } from "./Note";

// TagList shows tags in a row of a list.
export function TagList({ tags, onPick }: { tags: Record<string, string> | undefined; onPick?: (tag: string) => void }) {
  const all = Object.entries(tags ?? {});
  if (!all.length) return null;
  return (
    <ul class="taglist">
      {all.map(([key, value]) => (
        <li key={key}>
          {onPick ? (
            <button type="button" class="tag" aria-label={t("tags.filter", { tag: `${key}: ${value}` })} onClick={() => onPick(`${key}:${value}`)}>
              <b>{key}</b> {value}
            </button>
          ) : (
            <span class="tag">
              <b>{key}</b> {value}
            </span>
          )}
        </li>
      ))}
    </ul>
  );
}

// TagEditor shows tags and changes them.
export function TagEditor({ tags, set, drop, fixed }: { tags: Record<string, string> | undefined; set: (key: string, value: string) => Promise<void>; drop: (key: string) => Promise<void>; fixed: boolean }) {
  const adding = useSignal(false);
  const wrong = useSignal("");
  const all = Object.entries(tags ?? {});
  const remove = async (key: string): Promise<void> => {
    wrong.value = "";
    await drop(key).catch((err: unknown) => (wrong.value = words(err)));
  };
  return (
    <div class="stack tight">
      {wrong.value && <Note kind="bad">{wrong.value}</Note>}
      <ul class="taglist big">
        {all.map(([key, value]) => (
          <li key={key} class="tag">
            <b>{key}</b> {value}
            {!fixed && (
              <button type="button" class="tag-drop" aria-label={t("tags.drop", { tag: key })} onClick={() => void remove(key)}>
                <Icon name="close" size={14} />
              </button>
            )}
          </li>
        ))}
        {!all.length && <li class="soft">{t("tags.none")}</li>}
      </ul>
      {!fixed && (
        <div>
          <Button small icon="plus" onClick={() => (adding.value = true)}>
            {t("tags.add")}
          </Button>
        </div>
      )}
      {adding.value && <TagDialog title={t("tags.add")} set={set} onClose={() => (adding.value = false)} />}
    </div>
  );
}

// TagDialog asks for one tag.
export function TagDialog({ title, set, onClose }: { title: string; set: (key: string, value: string) => Promise<void>; onClose: () => void }) {
  const key = useSignal("");
  const value = useSignal("");
  const wrong = useSignal("");
  const busy = useSignal(false);
  const send = async (e: Event): Promise<void> => {
    e.preventDefault();
    busy.value = true;
    wrong.value = "";
    try {
      await set(key.value.trim(), value.value.trim());
      onClose();
    } catch (err) {
      wrong.value = words(err);
    } finally {
      busy.value = false;
    }
  };
  return (
    <Dialog
      title={title}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button kind="main" type="submit" form="tag" busy={busy.value}>
            {t("tags.put")}
          </Button>
        </>
      }
    >
      <form id="tag" class="stack" onSubmit={(e) => void send(e)}>
        {wrong.value && <Note kind="bad">{wrong.value}</Note>}
        <div class="pair">
          <Field label={t("tags.key")} hint={t("tags.key.hint")}>
            {(f) => <input {...f} type="text" required maxLength={64} autocomplete="off" value={key.value} onInput={(e) => (key.value = e.currentTarget.value)} />}
          </Field>
          <Field label={t("tags.value")} hint={t("tags.value.hint")}>
            {(f) => <input {...f} type="text" required maxLength={64} autocomplete="off" value={value.value} onInput={(e) => (value.value = e.currentTarget.value)} />}
          </Field>
        </div>
      </form>
    </Dialog>
  );
}
