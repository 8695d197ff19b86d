// Icons: lines of 24 by 24 units, drawn for this application.
const drawings = {
  things: "M12 3 4 7v10l8 4 8-4V7zM4 7l8 4 8-4M12 11v10",
  devices: "M6 6h12v12H6zM9 9.5h6v5H9zM9 3v3M15 3v3M9 18v3M15 18v3M3 9h3M3 15h3M18 9h3M18 15h3",
  search: "M10.5 4a6.5 6.5 0 1 1 0 13 6.5 6.5 0 0 1 0-13zM15.5 15.5 20 20",
  plus: "M12 5v14M5 12h14",
  check: "m5 12.5 4.5 4.5L19 7.5",
  close: "m6 6 12 12M18 6 6 18",
  copy: "M9 9h11v11H9zM5 15H4V4h11v1",
  more: "M5.5 12h.01M12 12h.01M18.5 12h.01",
  down: "m6 9.5 6 6 6-6",
  right: "m9.5 6 6 6-6 6",
  trash: "M4 7h16M9 7V4h6v3M6 7l1 13h10l1-13M10 11v5.5M14 11v5.5",
  edit: "M4 20h4L19 9l-4-4L4 16zM13 7l4 4",
  tag: "M4 4h7.5L20 12.5 12.5 20 4 11.5zM8 8h.01",
  download: "M12 4v11M7 10.5l5 5 5-5M4.5 20h15",
  key: "M8.5 10a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9zM11.8 11.7 20 3.5M16 7.5l3 3",
  user: "M12 4a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM4.5 20.5c1-4 4-5.5 7.5-5.5s6.5 1.5 7.5 5.5",
  warn: "M12 4 2.5 20h19zM12 10v4.5M12 17.3v.01",
  info: "M12 3.5a8.5 8.5 0 1 1 0 17 8.5 8.5 0 0 1 0-17zM12 11v5M12 7.8v.01",
  restore: "M4 5v5h5M4.5 10A8 8 0 1 1 4 14",
  clone: "M8 8h12v12H8zM4 16V4h12M14 11v6M11 14h6",
  link: "M10 14a4 4 0 0 0 5.7 0l3.5-3.5a4 4 0 0 0-5.7-5.7L12 6.3M14 10a4 4 0 0 0-5.7 0l-3.5 3.5a4 4 0 0 0 5.7 5.7L12 17.7",
  unlink: "m9 15-2.5 2.5M15 9l2.5-2.5M5 5l14 14",
  chart: "M4 4v16h16M8 15l3.5-4.5 3 2.5L20 7",
  send: "M4 12 20 4l-5.5 16-3-6.5z",
  usb: "M12 21V3M9.5 5.5 12 3l2.5 2.5M12 16l-5-3v-3M12 14l5-3V8M15.5 5.5h3V8h-3zM7 8.5h.01",
  play: "M8 5.5v13l10.5-6.5z",
  clock: "M12 3.5a8.5 8.5 0 1 1 0 17 8.5 8.5 0 0 1 0-17zM12 7.5V12l3 2",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  code: "m8.5 7-5 5 5 5M15.5 7l5 5-5 5",
  dashboards: "M4 4h7v9H4zM13 4h7v5h-7zM13 11h7v9h-7zM4 15h7v5H4z",
  share: "M17 3.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5zM6.5 9.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5zM17 15.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5zM8.8 10.8l5.9-3.5M8.8 13.2l5.9 3.5",
  upload: "M12 15V4M7 8.5l5-5 5 5M4.5 20h15",
  full: "M4 9V4h5M15 4h5v5M20 15v5h-5M9 20H4v-5",
  redo: "M20 5v5h-5M19.5 10A8 8 0 1 0 20 14",
  phone: "M8 3h8v18H8zM11 18h2",
  screen: "M3 5h18v11H3zM9 20h6M12 16v4",
  up: "m6 14.5 6-6 6 6",
  switch: "M8 7h8a5 5 0 0 1 0 10H8A5 5 0 0 1 8 7zM16 9.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5z",
  bolt: "M13 3 5 13.5h6L10 21l8.5-10.5h-6z",
  bell: "M6 16.5V11a6 6 0 1 1 12 0v5.5l1.5 2h-15zM10 21h4",
  mail: "M4 6h16v12H4zM4 7.5l8 6 8-6",
  update: "M12 19V9M8 12.5 12 8.5l4 4M5 5h14",
  template: "M4 4h16v5H4zM4 13h7v7H4zM15 13h5v7h-5z",
} as const;

export type IconName = keyof typeof drawings;

// Icon is decoration: what it means is said by the text beside it, or by the name of what it is in.
export function Icon({ name, size = 20 }: { name: IconName; size?: number }) {
  return <Drawing lines={drawings[name]} size={size} thick={name === "more" ? 3 : 1.8} />;
}

// Drawing is an icon that is not of the list: only those have it who load it.
export function Drawing({ lines, size = 20, thick = 1.8 }: { lines: string; size?: number; thick?: number }) {
  return (
    <svg class="icon" width={size} height={size} viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width={thick} stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      <path d={lines} />
    </svg>
  );
}
