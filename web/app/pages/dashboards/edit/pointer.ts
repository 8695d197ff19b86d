// A pointer that takes something along: from where it was pressed to where it is let go. The page scrolls where it comes near an edge.

interface Followed {
  moved(dx: number, dy: number): void; // px, with what was scrolled meanwhile
  ended(kept: boolean): void; // false: it was broken off, and all is as before
}

const slack = 4; // px that a click may wander
const edge = 70; // px at the window's upper and lower end where it scrolls
const speed = 14; // px a frame at most

// follow follows the pointer of an event until it is let go, or Escape is pressed.
export function follow(down: PointerEvent, f: Followed): void {
  const el = down.currentTarget;
  if (down.button !== 0 || !(el instanceof HTMLElement)) return;
  const begin = { x: down.clientX, y: down.clientY, scroll: scrollY };
  let at = { x: begin.x, y: begin.y };
  let taken = false;
  let frame = 0;

  const tell = (): void => f.moved(at.x - begin.x, at.y - begin.y + scrollY - begin.scroll);
  const roll = (): void => {
    const over = at.y < edge ? at.y - edge : at.y > innerHeight - edge ? at.y - innerHeight + edge : 0;
    if (over) {
      scrollBy(0, Math.sign(over) * Math.min(speed, Math.abs(over) / 4));
      tell();
    }
    frame = requestAnimationFrame(roll);
  };
  const move = (e: PointerEvent): void => {
    if (e.pointerId !== down.pointerId) return;
    at = { x: e.clientX, y: e.clientY };
    if (!taken && Math.hypot(at.x - begin.x, at.y - begin.y) < slack) return;
    if (!taken) {
      taken = true;
      frame = requestAnimationFrame(roll);
    }
    tell();
  };
  const end = (kept: boolean): void => {
    cancelAnimationFrame(frame);
    el.removeEventListener("pointermove", move);
    el.removeEventListener("pointerup", up);
    el.removeEventListener("pointercancel", cancel);
    removeEventListener("keydown", keys, true);
    if (!taken) return;
    // What ends here is no click.
    addEventListener("click", stop, { capture: true, once: true });
    setTimeout(() => removeEventListener("click", stop, true));
    f.ended(kept);
  };
  const up = (e: PointerEvent): void => void (e.pointerId === down.pointerId && end(true));
  const cancel = (e: PointerEvent): void => void (e.pointerId === down.pointerId && end(false));
  const keys = (e: KeyboardEvent): void => {
    if (e.key !== "Escape" || !taken) return;
    e.preventDefault();
    e.stopPropagation();
    end(false);
  };
  el.setPointerCapture(down.pointerId);
  el.addEventListener("pointermove", move);
  el.addEventListener("pointerup", up);
  el.addEventListener("pointercancel", cancel);
  addEventListener("keydown", keys, true);
}

function stop(e: Event): void {
  e.preventDefault();
  e.stopPropagation();
}
