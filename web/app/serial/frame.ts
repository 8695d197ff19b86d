// Frames, in which both generations of provisioning put what goes over a board's serial line; sdk/go/provision has the same in Go.

// Types of frames.
export const request = 1; // a command of the first generation
export const data = 2; // a message
export const transmit = 3; // one byte; in the first generation a response

export interface Frame {
  type: number;
  payload: Uint8Array;
}

// maxPayload bounds a frame, in bytes. The longest that boards send is a list of 20 networks, with about 700.
export const maxPayload = 4096;

// gap is how long (ms) a frame may stand still before it counts as broken off.
const gap = 10_000;

const headBytes = 5; // 55 AA, type, length
const crcBytes = 2; // which the length counts too
const endBytes = 2; // AA 55

// encode writes a frame.
export function encode(f: Frame): Uint8Array {
  const n = f.payload.length;
  if (n > maxPayload) throw new RangeError("a frame has at most 4096 bytes");
  const wire = new Uint8Array(headBytes + n + crcBytes + endBytes);
  const view = new DataView(wire.buffer);
  view.setUint16(0, 0x55aa);
  view.setUint8(2, f.type);
  view.setUint16(3, n + crcBytes);
  wire.set(f.payload, headBytes);
  view.setUint16(headBytes + n, checksum(f.payload));
  view.setUint16(headBytes + n + crcBytes, 0xaa55);
  return wire;
}

// checksum is CRC-16/X-25: polynomial 0x1021 reflected, all bits set before and turned after.
export function checksum(bytes: Uint8Array): number {
  let crc = 0xffff;
  for (const b of bytes) {
    crc ^= b;
    for (let i = 0; i < 8; i++) crc = crc & 1 ? (crc >>> 1) ^ 0x8408 : crc >>> 1;
  }
  return crc ^ 0xffff;
}

// Reader finds frames in what comes over a line, in whichever pieces. What is no frame is skipped.
export class Reader {
  private rest: Uint8Array = new Uint8Array(0);
  private at = 0; // ms: when the last byte came

  // feed takes what came at a time (ms), and gives the frames that are whole now. bad counts those that were not readable.
  feed(piece: Uint8Array, at: number): { frames: Frame[]; bad: number } {
    const frames: Frame[] = [];
    let bad = 0;
    if (this.rest.length && at - this.at > gap) {
      this.rest = new Uint8Array(0);
      bad = 1;
    }
    this.at = at;
    let rest = new Uint8Array(this.rest.length + piece.length);
    rest.set(this.rest);
    rest.set(piece, this.rest.length);
    for (;;) {
      const i = begin(rest);
      rest = rest.subarray(i);
      if (rest.length < headBytes) break;
      const view = new DataView(rest.buffer, rest.byteOffset);
      const n = view.getUint16(3) - crcBytes;
      if (n < 0 || n > maxPayload) {
        rest = rest.subarray(1);
        bad++;
        continue;
      }
      const whole = headBytes + n + crcBytes + endBytes;
      if (rest.length < whole) break;
      const payload = rest.slice(headBytes, headBytes + n);
      if (view.getUint16(headBytes + n) !== checksum(payload) || view.getUint16(whole - endBytes) !== 0xaa55) {
        rest = rest.subarray(1);
        bad++;
        continue;
      }
      frames.push({ type: view.getUint8(2), payload });
      rest = rest.subarray(whole);
    }
    this.rest = rest.slice();
    return { frames, bad };
  }
}

// begin is where the first frame begins, or may begin with the last byte.
function begin(b: Uint8Array): number {
  for (let i = 0; i < b.length; i++) if (b[i] === 0x55 && (i + 1 === b.length || b[i + 1] === 0xaa)) return i;
  return b.length;
}
