import { moment, span } from "../format";

export interface Stretch {
  from: number; // seconds
  to: number;
  label: string;
  kind: string; // a class of chart.css: good, none, or k0 to k5
}

// Stripe is a bar of time, in stretches of which each is one state. Who cannot see it has the list beside it.
export function Stripe({ from, to, all, label, zone }: { from: number; to: number; all: Stretch[]; label: string; zone?: string }) {
  const part = (at: number): string => (((at - from) / (to - from)) * 100).toFixed(3) + "%";
  const width = (s: Stretch): string => Math.max(0.15, ((s.to - s.from) / (to - from)) * 100).toFixed(3) + "%";
  return (
    <figure class="stripe">
      <svg width="100%" height="36" role="img" aria-label={label}>
        <rect class="stripe-back" width="100%" height="36" rx="6" />
        {all.map((s) => (
          <rect key={s.from} class={"stretch " + s.kind} x={part(s.from)} width={width(s)} height="36">
            <title>{`${s.label} · ${span(s.to - s.from)} · ${moment(s.from * 1000, zone)}`}</title>
          </rect>
        ))}
      </svg>
      <figcaption>
        <span>{moment(from * 1000, zone)}</span>
        <span>{moment(to * 1000, zone)}</span>
      </figcaption>
    </figure>
  );
}
