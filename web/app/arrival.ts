// Whoever goes to another page hears its heading, as after loading one: the focus goes there. While the page is coming
// it may have more than one, each in the place of the one before.
import { useEffect, useRef } from "preact/hooks";

let arriving: "" | "new" | "settling" = "";

// arrive says that another page is coming.
export function arrive(): void {
  arriving = "new";
}

const acts = (): void => void (arriving = "");
addEventListener("keydown", acts, { capture: true });
addEventListener("pointerdown", acts, { capture: true });

// useArrival is for the heading of a page. waiting: the page itself is still to come.
export function useArrival(waiting: boolean) {
  const ref = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (waiting || !arriving) return;
    if (arriving === "settling" && document.activeElement !== document.body) return;
    if (arriving === "new") scrollTo(0, 0);
    arriving = "settling";
    ref.current?.focus({ preventScroll: true });
  }, []);
  return ref;
}
