import { words } from "../api";
import type { Query } from "../data";
import { t } from "../text";
import { Ago } from "./Ago";
import { Button } from "./Button";
import { confirm } from "./Confirm";
import { Empty } from "./Empty";
import { Failure } from "./Note";
import { Head } from "./Page";
import { Skeleton } from "./Skeleton";
import { complain, say } from "./Toast";

interface One {
  id: string;
  name: string;
  deleted_at?: string;
}

interface Props<T extends One> {
  title: string;
  back: { href: string; label: string };
  list: Query<T[]>;
  fixed: boolean;
  about: (one: T) => string;
  restore: (id: string) => Promise<unknown>;
  destroy: (id: string) => Promise<unknown>;
  destroyText: string;
}

// Gone is the list of what was deleted: to bring it back, or to be rid of it for ever.
export function Gone<T extends One>(p: Props<T>) {
  const all = p.list.data.value;
  const act = async (what: Promise<unknown>, done: string): Promise<void> => {
    try {
      await what;
      say(done);
    } catch (err) {
      complain(words(err));
    }
    await p.list.reload();
  };
  const restore = (one: T): Promise<void> => act(p.restore(one.id), t("restored", { name: one.name }));
  const destroy = async (one: T): Promise<void> => {
    const yes = await confirm({ title: t("destroy.title", { name: one.name }), text: p.destroyText, action: t("destroy"), danger: true, typed: one.name });
    if (yes) await act(p.destroy(one.id), t("destroyed", { name: one.name }));
  };
  return (
    <>
      <Head title={p.title} crumb={p.back} />
      <Failure error={p.list.error.value} again={() => void p.list.reload()} />
      {!all && !p.list.error.value && <Skeleton rows={3} />}
      {all && !all.length && (
        <Empty icon="trash" title={t("deleted.none")}>
          <p>{t("deleted.none.text")}</p>
        </Empty>
      )}
      {all && all.length > 0 && (
        <ul class="rows sheet">
          {all.map((one) => (
            <li key={one.id}>
              <div class="what">
                <b>{one.name}</b>
                <span>
                  {p.about(one)} · {t("deleted.when")} {one.deleted_at && <Ago at={one.deleted_at} />}
                </span>
              </div>
              {!p.fixed && (
                <div class="acts">
                  <Button small icon="restore" onClick={() => void restore(one)}>
                    {t("restore")}
                  </Button>
                  <Button small kind="danger" onClick={() => void destroy(one)}>
                    {t("destroy")}
                  </Button>
                </div>
              )}
            </li>
          ))}
        </ul>
      )}
    </>
  );
}
