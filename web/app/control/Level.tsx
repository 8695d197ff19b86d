import { useSignal } from "@preact/signals";

// Level is a slider that sets when it is let go.
export function Level({ label, value, busy, fixed, max = 100, onSet }: { label: string; value: number; busy: boolean; fixed?: boolean; max?: number; onSet: (v: number) => Promise<boolean> }) {
  const moved = useSignal<number | undefined>(undefined);
  const shown = moved.value ?? value;
  return (
    <label class="mini">
      <span class="mini-head">
        {label} <output>{Math.round(shown)}</output>
      </span>
      <input type="range" min={0} max={max} value={shown} disabled={busy || fixed} onInput={(e) => (moved.value = Number(e.currentTarget.value))} onChange={() => void onSet(moved.value ?? value).then(() => (moved.value = undefined))} />
    </label>
  );
}
