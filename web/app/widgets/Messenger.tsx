import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { useQuery } from "../data";
import { hour, moment } from "../format";
import { t } from "../text";
import { Button } from "../ui/Button";
import { flagIn, textIn } from "./option";
import { look, nameOf, tellsAll, useSet } from "./use";
import type { ViewProps } from "./widget";

interface Message {
  at: number; // seconds
  text: string;
}

const most = 200; // messages that are shown
const days = 7; // of history that is asked for
const clear = "\u001b"; // what a board sends to begin anew

// View is what was said, the newest last, and a line to say something.
export function View(p: ViewProps) {
  const s = useSet(p);
  const [typed, type] = useState("");
  const variable = s.variable;
  const last = p.values[0];
  const name = nameOf(p.widget, variable);
  const withHistory = flagIn(p.widget.options.showHistory, true) && tellsAll(p, variable);
  const query = useQuery(`messages:${variable?.id ?? ""}:${withHistory}`, async (signal) => {
    const to = Math.ceil(Date.now() / 1000);
    if (!withHistory || !variable || !p.past) return [];
    return (await p.past.changes(variable, to - days * 86_400, to, signal)).all.map((c) => ({ at: c.at, text: String(c.value ?? "") }));
  });
  const heard = useRef<Message[]>([]);
  const sent = useRef<Message[]>([]);
  if (last?.at && last.at !== "" && (heard.current.at(-1)?.at ?? 0) < Date.parse(last.at) / 1000) heard.current = [...heard.current, { at: Date.parse(last.at) / 1000, text: String(last.value ?? "") }].slice(-most);
  const before = query.data.value ?? [];
  const newest = before.at(-1)?.at ?? 0;
  const all = sinceClear(withHistory ? [...before, ...heard.current.filter((m) => m.at > newest)] : heard.current.slice(-1)).slice(-most);
  const zone = variable?.thing_timezone.name;

  const list = useRef<HTMLDivElement>(null);
  const low = useRef(true); // the end is in sight
  useLayoutEffect(() => {
    if (list.current && low.current) list.current.scrollTop = list.current.scrollHeight;
  }, [all.at(-1)?.at, all.length]);
  useEffect(() => {
    const el = list.current;
    if (!el) return undefined;
    const sized = new ResizeObserver(() => {
      if (low.current) el.scrollTop = el.scrollHeight;
    });
    sized.observe(el);
    return () => sized.disconnect();
  }, []);

  const send = async (): Promise<void> => {
    const text = typed;
    if (!text) return;
    sent.current = [...sent.current, { at: Date.now() / 1000, text }].slice(-most);
    low.current = true;
    type("");
    if (!(await s.send(text))) type((now) => now || text); // what was refused can be sent again
  };
  const mine = (m: Message): boolean => sent.current.some((one) => one.text === m.text && Math.abs(one.at - m.at) < 60);
  return (
    <div {...look("w-messages", p, s.busy)}>
      <div ref={list} class="w-log" role="log" aria-label={name} tabIndex={0} onScroll={(e) => (low.current = e.currentTarget.scrollHeight - e.currentTarget.scrollTop - e.currentTarget.clientHeight < 24)}>
        {!all.length && <p class="w-none">{last?.at ? t("widget.messages.none") : t("value.none")}</p>}
        {all.map((m) => (
          <p key={m.at} class={mine(m) ? "said mine" : "said"}>
            <span>{m.text}</span>
            <time dateTime={new Date(m.at * 1000).toISOString()} title={moment(m.at * 1000, zone)}>
              {hour(m.at * 1000, zone)}
            </time>
          </p>
        ))}
      </div>
      {withHistory && query.error.value !== undefined && <p class="w-none">{t("widget.messages.lost")}</p>}
      {!p.readOnly && (
        <form
          class="setter-row"
          onSubmit={(e) => {
            e.preventDefault();
            void send();
          }}
        >
          <input type="text" aria-label={t("widget.messages.to", { name })} placeholder={textIn(p.widget.options.placeholder) || t("set.text")} maxLength={1024} autocomplete="off" value={typed} onInput={(e) => type(e.currentTarget.value)} />
          <Button small type="submit" icon="send" label={t("widget.messages.send")} busy={s.busy} />
        </form>
      )}
    </div>
  );
}

// sinceClear leaves out what was said before the last sign to begin anew.
function sinceClear(all: Message[]): Message[] {
  for (let i = all.length - 1; i >= 0; i--) {
    const one = all[i];
    const at = one?.text.lastIndexOf(clear) ?? -1;
    if (!one || at < 0) continue;
    const rest = one.text.slice(at + 1);
    return rest ? [{ at: one.at, text: rest }, ...all.slice(i + 1)] : all.slice(i + 1);
  }
  return all;
}
