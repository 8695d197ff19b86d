// A line to a board: a serial port of the browser (Web Serial), in frames.
import { Problem } from "../api";
import { t } from "../text";
import { encode, type Frame, Reader } from "./frame";

// What browsers have of Web Serial (wicg.github.io/serial); TypeScript does not know it.
export interface Port {
  open(how: { baudRate: number; bufferSize?: number }): Promise<void>;
  close(): Promise<void>;
  getInfo(): { usbVendorId?: number; usbProductId?: number };
  readonly readable: ReadableStream<Uint8Array> | null;
  readonly writable: WritableStream<Uint8Array> | null;
}

interface Serial {
  requestPort(which: { filters: { usbVendorId: number; usbProductId?: number }[] }): Promise<Port>;
}

const serial = (): Serial | undefined => (navigator as { serial?: Serial }).serial;

// canSerial says whether this browser reaches serial ports: Chromium's do, on desks.
export const canSerial = (): boolean => serial() !== undefined;

// Vendors of boards with a secure element: Arduino, in both of its numbers.
const vendors = [0x2341, 0x2a03];

// choose lets somebody choose a port, in a window of the browser's own; undefined: they did not.
export async function choose(): Promise<Port | undefined> {
  try {
    return await serial()?.requestPort({ filters: vendors.map((usbVendorId) => ({ usbVendorId })) });
  } catch (err) {
    if (err instanceof DOMException && err.name === "NotFoundError") return undefined;
    throw trouble("refused");
  }
}

export type Why = "refused" | "taken" | "lost" | "silent" | "old" | "radio" | "wrong" | "network" | "late" | "board" | "sign";

// trouble is what goes wrong with boards, in words that say what to do.
export const trouble = (why: Why, args?: Record<string, string | number>): Problem => new Problem(0, "board-" + why, t(`board.${why}`, args));

// A Line is open until it is closed; whoever opens it closes it.
export class Line {
  private readonly frames: Frame[] = [];
  private wake: (() => void) | undefined;
  private over: Problem | undefined;
  private closing = false;
  private reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  private running: Promise<void> = Promise.resolve();
  private turn: Promise<unknown> = Promise.resolve(); // of who writes
  garbled: () => void = () => undefined; // is told of what was not readable
  take: (f: Frame) => boolean = () => false; // true: it is dealt with, nobody else gets it

  private constructor(private readonly port: Port) {}

  static async open(port: Port, baudRate: number): Promise<Line> {
    try {
      await port.open({ baudRate, bufferSize: 4096 });
    } catch {
      throw trouble("taken");
    }
    const line = new Line(port);
    line.running = line.read();
    return line;
  }

  private async read(): Promise<void> {
    const frames = new Reader();
    // After a disturbance that is over the port has another stream; after one that is not it has none.
    while (this.port.readable && !this.closing) {
      const reader = (this.reader = this.port.readable.getReader());
      try {
        for (;;) {
          const { value, done } = await reader.read();
          if (done) break;
          const { frames: whole, bad } = frames.feed(value, Date.now());
          for (const f of whole) if (!this.take(f)) this.frames.push(f);
          if (bad) this.garbled();
          this.wake?.();
        }
      } catch {
        // The next stream, if there is one, says whether it was for good.
      } finally {
        reader.releaseLock();
      }
    }
    this.over ??= trouble("lost");
    this.wake?.();
  }

  // write sends a frame behind those before.
  write(f: Frame): Promise<void> {
    const mine = this.turn.then(async () => {
      const writer = this.port.writable?.getWriter();
      if (!writer || this.closing) throw trouble("lost");
      try {
        await writer.write(encode(f));
      } catch {
        throw trouble("lost");
      } finally {
        writer.releaseLock();
      }
    });
    this.turn = mine.catch(() => undefined);
    return mine;
  }

  // next waits for a frame, for so long (ms); undefined: none came.
  async next(patience: number, left: AbortSignal): Promise<Frame | undefined> {
    const until = Date.now() + patience;
    for (;;) {
      const f = this.frames.shift();
      if (f) return f;
      left.throwIfAborted();
      if (this.over) throw this.over;
      const rest = until - Date.now();
      if (rest <= 0) return undefined;
      await new Promise<void>((resolve) => {
        const timer = setTimeout(() => this.wake?.(), rest);
        this.wake = () => {
          clearTimeout(timer);
          left.removeEventListener("abort", go);
          resolve();
        };
        const go = (): void => this.wake?.();
        left.addEventListener("abort", go);
      });
    }
  }

  // forget drops what has come and nobody has asked for.
  forget(): void {
    this.frames.length = 0;
  }

  // close gives the port back to the system.
  async close(): Promise<void> {
    if (this.closing) return;
    this.closing = true;
    await this.reader?.cancel().catch(() => undefined);
    await this.running;
    await this.turn;
    await this.port.close().catch(() => undefined);
  }
}
