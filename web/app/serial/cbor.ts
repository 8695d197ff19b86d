// As much of CBOR (RFC 8949) as boards and this page say to each other: whole numbers, bytes, texts, arrays, one tag around.

export type Item = number | string | Uint8Array | Item[];

export interface Tagged {
  tag: number;
  items: Item[];
}

const maxItems = 64; // of an array
const maxDepth = 4;

// encode writes a tag with an array.
export function encode(m: Tagged): Uint8Array {
  const out: number[] = [];
  head(out, 6, m.tag);
  write(out, m.items);
  return new Uint8Array(out);
}

function head(out: number[], major: number, n: number): void {
  const lead = major << 5;
  if (n < 24) out.push(lead | n);
  else if (n < 0x100) out.push(lead | 24, n);
  else if (n < 0x10000) out.push(lead | 25, n >>> 8, n & 0xff);
  else if (n < 0x100000000) out.push(lead | 26, ...four(n));
  else out.push(lead | 27, ...four(Math.floor(n / 0x100000000)), ...four(n % 0x100000000));
}

const four = (n: number): number[] => [(n >>> 24) & 0xff, (n >>> 16) & 0xff, (n >>> 8) & 0xff, n & 0xff];

function write(out: number[], v: Item): void {
  if (typeof v === "number") {
    if (!Number.isSafeInteger(v)) throw new RangeError("not a whole number");
    if (v < 0) head(out, 1, -1 - v);
    else head(out, 0, v);
  } else if (typeof v === "string") {
    const bytes = new TextEncoder().encode(v);
    head(out, 3, bytes.length);
    out.push(...bytes);
  } else if (v instanceof Uint8Array) {
    head(out, 2, v.length);
    out.push(...v);
  } else {
    head(out, 4, v.length);
    for (const one of v) write(out, one);
  }
}

// decode reads a tag with an array, and nothing behind it; undefined for anything else. Bytes of a text that are no UTF-8
// become U+FFFD: the name of a network may be any bytes.
export function decode(wire: Uint8Array): Tagged | undefined {
  try {
    const r = new Bytes(wire);
    const [major, tag] = r.head();
    if (major !== 6 || tag === open) return undefined;
    const items = r.item(0);
    return Array.isArray(items) && r.over() ? { tag, items } : undefined;
  } catch (err) {
    if (err instanceof RangeError) return undefined;
    throw err;
  }
}

const open = -1; // the length of what ends with a mark

class Bytes {
  private at = 0;
  private readonly view: DataView;

  constructor(private readonly wire: Uint8Array) {
    this.view = new DataView(wire.buffer, wire.byteOffset, wire.byteLength);
  }

  over(): boolean {
    return this.at === this.wire.length;
  }

  // head is the major type and its number. Reading behind the end is a RangeError, as of any view.
  head(): [number, number] {
    const lead = this.view.getUint8(this.at++);
    const low = lead & 31;
    let n = low;
    if (low === 31) n = open;
    else if (low > 27) throw new RangeError("reserved");
    else if (low >= 24) {
      const size = 1 << (low - 24);
      n = size === 1 ? this.view.getUint8(this.at) : size === 2 ? this.view.getUint16(this.at) : size === 4 ? this.view.getUint32(this.at) : Number(this.view.getBigUint64(this.at));
      if (!Number.isSafeInteger(n)) throw new RangeError("too large");
      this.at += size;
    }
    return [lead >> 5, n];
  }

  item(depth: number): Item {
    const [major, n] = this.head();
    if (n === open && major !== 4) throw new RangeError("of no length");
    switch (major) {
      case 0:
        return n;
      case 1:
        return -1 - n;
      case 2:
        return this.take(n);
      case 3:
        return new TextDecoder().decode(this.take(n));
      case 4:
        return this.array(n, depth);
    }
    throw new RangeError("of no use here");
  }

  private take(n: number): Uint8Array {
    if (n > this.wire.length - this.at) throw new RangeError("cut off");
    this.at += n;
    return this.wire.slice(this.at - n, this.at);
  }

  private array(n: number, depth: number): Item[] {
    if (depth >= maxDepth || n > maxItems) throw new RangeError("too much");
    const all: Item[] = [];
    while (n === open ? this.view.getUint8(this.at) !== 0xff : all.length < n) {
      if (all.length === maxItems) throw new RangeError("too much");
      all.push(this.item(depth + 1));
    }
    if (n === open) this.at++;
    return all;
  }
}
