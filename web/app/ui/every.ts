import { useEffect, useRef } from "preact/hooks";

// useEvery does something again and again while somebody looks and it is wanted: for what no stream tells of.
export function useEvery(ms: number, wanted: boolean, what: () => void): void {
  const last = useRef(what);
  last.current = what;
  useEffect(() => {
    if (!wanted) return undefined;
    const timer = setInterval(() => document.visibilityState === "visible" && last.current(), ms);
    return () => clearInterval(timer);
  }, [ms, wanted]);
}
