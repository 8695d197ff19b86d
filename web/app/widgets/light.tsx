// What lights and colours have in common.
import { useState } from "preact/hooks";
import type { HSB } from "../model/color";
import { numberIn, objectIn } from "./option";

export interface Light extends HSB {
  swi: boolean;
}

export function hsbIn(value: unknown): HSB {
  const v = objectIn(value);
  return { hue: numberIn(v.hue) ?? 0, sat: numberIn(v.sat) ?? 0, bri: numberIn(v.bri) ?? 0 };
}

export const lightIn = (value: unknown): Light => ({ ...hsbIn(value), swi: objectIn(value).swi === true });

// Hue is a disc of a colour; a press lets another be chosen.
export function Hue({ hex, label, known, fixed, onChange }: { hex: string; label: string; known: boolean; fixed: boolean; onChange: (hex: string) => void }) {
  const [moved, move] = useState<string | undefined>(undefined);
  const shown = moved ?? hex;
  return (
    <span
      class={known ? "w-hue" : "w-hue unknown"}
      ref={(e) => {
        if (e) e.style.setProperty("--hue", shown);
      }}
    >
      {fixed ? (
        <span role="img" aria-label={`${label}: ${shown}`} />
      ) : (
        <input
          type="color"
          aria-label={label}
          value={shown}
          onInput={(e) => move(e.currentTarget.value)}
          onChange={(e) => {
            onChange(e.currentTarget.value);
            move(undefined);
          }}
        />
      )}
    </span>
  );
}
