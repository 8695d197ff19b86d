// Signs that widgets can bear, of 24 by 24 units.
export const signs: Record<string, string> = {
  check: "m5 12.5 4.5 4.5L19 7.5",
  cross: "m6 6 12 12M18 6 6 18",
  bulb: "M9 18h6M10 21h4M12 3a6 6 0 0 1 3.5 10.9c-.6.5-1 1.2-1 2.1h-5c0-.9-.4-1.6-1-2.1A6 6 0 0 1 12 3z",
  power: "M12 3.5v8M7 6.5a7.5 7.5 0 1 0 10 0",
  lock: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 7 0v3",
  open: "M6 11h12v9H6zM8.5 11V8a3.5 3.5 0 0 1 6.8-1.2",
  door: "M6 21V3h12v18M4 21h16M15 12h.01",
  drop: "M12 3c3.5 4.2 6 7.3 6 10.5a6 6 0 0 1-12 0C6 10.3 8.5 7.2 12 3z",
  battery: "M3 8h15v8H3zM18 10.5h3v3h-3M6 11v2M9.5 11v2M13 11v2",
  bolt: "M13 3 5 13.5h6L10 21l9-11h-6.5z",
  thermometer: "M10 14V5.5a2 2 0 0 1 4 0V14a4.2 4.2 0 1 1-4 0zM12 9v8",
  sun: "M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  fan: "M12 12c-2-6 1-9 3.5-8S16 10 12 12zM12 12c6-2 9 1 8 3.5S14 16 12 12zM12 12c2 6-1 9-3.5 8S8 14 12 12zM12 12c-6 2-9-1-8-3.5S10 8 12 12z",
  wifi: "M3 9.5a13 13 0 0 1 18 0M6 13a8.5 8.5 0 0 1 12 0M9 16.3a4.2 4.2 0 0 1 6 0M12 19.5h.01",
  bell: "M6 17V11a6 6 0 0 1 12 0v6l1.5 1.5h-15zM10 21h4",
  home: "M4 11.5 12 4l8 7.5M6 10v10h12V10M10 20v-5.5h4V20",
  leaf: "M5 19C4 10 9 4.5 20 4c.5 11-5 16-13.5 14.5M5 21c1-5 4-8.5 8.5-11",
  pin: "M12 21c-4.5-4.8-7-8-7-11a7 7 0 0 1 14 0c0 3-2.5 6.2-7 11zM12 7.5a2.5 2.5 0 1 1 0 5 2.5 2.5 0 0 1 0-5z",
};

export function Sign({ name }: { name: string }) {
  const lines = signs[name];
  return lines ? (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true">
      <path d={lines} />
    </svg>
  ) : null;
}
