// An emulated serial port, as Web Serial has it: what is at its other end the test says, by toBoard and fromBoard.
(() => {
  const wish = CABLE;
  const tell = (what) => globalThis.toBoard(JSON.stringify(what));
  const text = (bytes) => btoa(String.fromCharCode(...bytes));
  class Port {
    readable = null;
    writable = null;
    getInfo() {
      return { usbVendorId: wish.vid, usbProductId: wish.pid };
    }
    async open({ baudRate }) {
      if (this.readable) throw new DOMException("The port is already open.", "InvalidStateError");
      if (wish.taken) throw new DOMException("Failed to open serial port.", "NetworkError");
      this.readable = new ReadableStream({ start: (c) => (this.end = c) });
      this.writable = new WritableStream({ write: (b) => tell({ write: text(b) }) });
      tell({ open: baudRate });
    }
    async close() {
      if (this.readable?.locked || this.writable?.locked) throw new TypeError("Cannot cancel a locked stream");
      this.readable = this.writable = null;
      tell({ close: true });
    }
    lose() {
      const end = this.end;
      this.readable = this.writable = null;
      end.error(new DOMException("The device has been lost.", "NetworkError"));
    }
  }
  const port = new Port();
  globalThis.fromBoard = (b64) => port.readable && port.end.enqueue(Uint8Array.from(atob(b64), (c) => c.charCodeAt(0)));
  globalThis.pullCable = () => port.lose();
  const serial = {
    async requestPort({ filters }) {
      if (!navigator.userActivation.isActive) throw new DOMException("Must be handling a user gesture to show a permission request.", "SecurityError");
      tell({ chosen: true });
      if (wish.nobody || !filters.some((f) => f.usbVendorId === wish.vid)) throw new DOMException("No port selected by the user.", "NotFoundError");
      return port;
    },
  };
  Object.defineProperty(Navigator.prototype, "serial", { configurable: true, get: () => serial });
})();
