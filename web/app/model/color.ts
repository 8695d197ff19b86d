// Colours: hue, saturation and brightness, as boards say them (0–360, 0–100, 0–100), and as browsers do (#rrggbb).

export interface HSB {
  hue: number;
  sat: number;
  bri: number;
}

export function toHex({ hue, sat, bri }: HSB): string {
  const v = clamp(bri, 100) / 100;
  const c = v * (clamp(sat, 100) / 100);
  const h = (((hue % 360) + 360) % 360) / 60;
  const x = c * (1 - Math.abs((h % 2) - 1));
  const rgb = [
    [c, x, 0],
    [x, c, 0],
    [0, c, x],
    [0, x, c],
    [x, 0, c],
    [c, 0, x],
  ][Math.floor(h)] ?? [0, 0, 0];
  return "#" + rgb.map((one) => Math.round((one + v - c) * 255).toString(16).padStart(2, "0")).join("");
}

export function fromHex(hex: string): HSB {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16) / 255);
  const max = Math.max(r, g, b);
  const d = max - Math.min(r, g, b);
  let hue = 0;
  if (d > 0) {
    if (max === r) hue = ((g - b) / d + 6) % 6;
    else if (max === g) hue = (b - r) / d + 2;
    else hue = (r - g) / d + 4;
  }
  const round = (n: number): number => Math.round(n * 10) / 10;
  return { hue: round(hue * 60), sat: max ? round((d / max) * 100) : 0, bri: round(max * 100) };
}

function clamp(n: number, max: number): number {
  return Math.min(max, Math.max(0, n));
}
