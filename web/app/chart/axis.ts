import type uPlot from "uplot";
import { lang } from "../text";

// axisTimes writes the marks of a time axis: as exactly as they are apart, and the day where it begins.
export function axisTimes(zone: string): uPlot.Axis.Values {
  const format = (options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat => {
    try {
      return new Intl.DateTimeFormat(lang, { ...options, timeZone: zone });
    } catch {
      return new Intl.DateTimeFormat(lang, { ...options, timeZone: "UTC" });
    }
  };
  const second = format({ hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const minute = format({ hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  const day = format({ day: "numeric", month: "short" });
  const month = format({ month: "short", year: "numeric" });
  return (_u, splits, _axis, _space, step) =>
    splits.map((at) => {
      const date = new Date(at * 1000);
      if (step >= 28 * 86_400) return month.format(date);
      if (step >= 86_400) return day.format(date);
      const time = (step >= 60 ? minute : second).format(date);
      return time.startsWith("00:00") ? day.format(date) : time;
    });
}
