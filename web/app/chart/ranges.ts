import type { Key } from "../text";

export interface Range {
  key: string;
  label: Key;
  seconds: number;
}

export const ranges: Range[] = [
  { key: "1h", label: "range.hour", seconds: 3600 },
  { key: "1d", label: "range.day", seconds: 86_400 },
  { key: "1w", label: "range.week", seconds: 7 * 86_400 },
  { key: "1m", label: "range.month", seconds: 30 * 86_400 },
  { key: "1y", label: "range.year", seconds: 365 * 86_400 },
];
