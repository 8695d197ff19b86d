import { useSignal } from "@preact/signals";
import type { ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { t } from "../text";
import { complain } from "./Toast";

// lazy is a component whose code is loaded when it is shown for the first time. Until then there is nothing in its place.
export function lazy<P extends object>(load: () => Promise<{ default: ComponentType<P> }>): ComponentType<P> {
  let found: ComponentType<P> | undefined;
  return function Lazy(props: P) {
    const there = useSignal(found !== undefined);
    useEffect(() => {
      if (there.value) return;
      load().then(
        (m) => {
          found = m.default;
          there.value = true;
        },
        () => complain(t("load.failed.text")),
      );
    }, []);
    const Found = found;
    return there.value && Found ? <Found {...props} /> : null;
  };
}
