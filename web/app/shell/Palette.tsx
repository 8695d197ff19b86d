import { signal, useSignal } from "@preact/signals";
import { useId, useLayoutEffect, useRef } from "preact/hooks";
import { call } from "../api";
import { useQuery } from "../data";
import { listDashboards } from "../model/dashboard";
import { listDevices } from "../model/device";
import { listThings } from "../model/thing";
import { more, rooms } from "../pages/routes";
import { go } from "../router";
import { accountPage, mayWrite } from "../session";
import { t } from "../text";
import { Icon, type IconName } from "../ui/Icon";

// palette says whether the search is open.
export const palette = signal(false);

interface Hit {
  href: string;
  name: string;
  kind: string;
  icon: IconName;
  plain?: boolean;
}

const most = 12;

// listDocs are the pages of the documentation.
const listDocs = (signal: AbortSignal): Promise<{ href: string; name: string }[]> => call("/docs/index.json", { signal });

// Palette finds things, devices and pages by a part of their names.
export function Palette() {
  const typed = useSignal("");
  const at = useSignal(0);
  const ref = useRef<HTMLDialogElement>(null);
  const gone = useRef(false); // to another page, which takes the focus
  const id = useId();
  const dashboards = useQuery("dashboards", listDashboards);
  const things = useQuery("things", listThings);
  const devices = useQuery("devices", listDevices);
  const docs = useQuery("docs", listDocs);
  useLayoutEffect(() => {
    const before = document.activeElement;
    const d = ref.current;
    d?.showModal();
    return () => {
      d?.close(); // while it is open nothing else takes the focus
      if (!gone.current && before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  const all: Hit[] = [
    ...[...rooms, ...more].map((r) => ({ href: r.href, name: t(r.title), kind: t("search.page"), icon: r.icon })),
    ...(mayWrite.value ? [{ href: "/app/devices/new", name: t("start.title"), kind: t("search.page"), icon: "plus" as const }] : []),
    { href: accountPage("/account"), name: t("account.account"), kind: t("search.page"), icon: "user", plain: true },
    { href: accountPage("/account/keys"), name: t("account.keys"), kind: t("search.page"), icon: "key", plain: true },
    ...(dashboards.data.value ?? []).map((x) => ({ href: "/app/dashboards/" + x.id, name: x.name, kind: t("search.dashboard"), icon: "dashboards" as const })),
    ...(things.data.value ?? []).map((x) => ({ href: "/app/things/" + x.id, name: x.name, kind: t("search.thing"), icon: "things" as const })),
    ...(devices.data.value ?? []).map((x) => ({ href: "/app/devices/" + x.id, name: x.name, kind: t("search.device"), icon: "devices" as const })),
    ...(docs.data.value ?? []).map((x) => ({ href: x.href, name: x.name, kind: t("search.docs"), icon: "info" as const, plain: true })),
  ];
  const hits = find(all, typed.value);
  const chosen = Math.min(at.value, Math.max(0, hits.length - 1));
  const close = (): void => void (palette.value = false);
  const pick = (hit: Hit | undefined): void => {
    if (!hit) return;
    gone.current = true;
    close();
    if (hit.plain) location.assign(hit.href);
    else go(hit.href);
  };
  const keys = (e: KeyboardEvent): void => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[e.key];
    if (step) {
      e.preventDefault();
      at.value = (chosen + step + hits.length) % Math.max(1, hits.length);
    } else if (e.key === "Enter") {
      e.preventDefault();
      pick(hits[chosen]);
    }
  };
  return (
    <dialog
      ref={ref}
      class="palette"
      aria-label={t("search.open")}
      onCancel={(e) => {
        e.preventDefault();
        close();
      }}
      onClose={close}
      onPointerDown={(e) => e.target === ref.current && close()}
    >
      <div class="palette-frame">
        <div class="palette-top">
          <Icon name="search" />
          <input
            type="text"
            role="combobox"
            aria-label={t("search.open")}
            aria-expanded="true"
            aria-controls={id}
            aria-activedescendant={hits.length ? `${id}-${chosen}` : undefined}
            aria-autocomplete="list"
            autocomplete="off"
            placeholder={t("search.hint")}
            value={typed.value}
            onInput={(e) => {
              typed.value = e.currentTarget.value;
              at.value = 0;
            }}
            onKeyDown={keys}
          />
          <kbd aria-hidden="true">Esc</kbd>
        </div>
        <ul id={id} role="listbox" aria-label={t("search.found")}>
          {hits.map((h, i) => (
            <li key={h.href} id={`${id}-${i}`} role="option" aria-selected={i === chosen} onClick={() => pick(h)} onPointerMove={() => (at.value = i)}>
              <Icon name={h.icon} />
              <b>{h.name}</b>
              <span>{h.kind}</span>
            </li>
          ))}
        </ul>
        <p class="palette-none" role="status">
          {hits.length ? "" : t("search.nothing")}
        </p>
      </div>
    </dialog>
  );
}

// find sorts what fits: names that begin so before those that have it inside.
function find(all: Hit[], typed: string): Hit[] {
  const words = typed.toLowerCase().split(/\s+/).filter(Boolean);
  const rank = (h: Hit): number => {
    const name = h.name.toLowerCase();
    if (!words.every((w) => name.includes(w))) return -1;
    const first = words[0] ?? "";
    return name.startsWith(first) ? 2 : name.includes(" " + first) ? 1 : 0;
  };
  return all
    .map((h) => ({ h, rank: rank(h) }))
    .filter((x) => x.rank >= 0)
    .sort((a, b) => b.rank - a.rank)
    .slice(0, most)
    .map((x) => x.h);
}
