import { useEffect, useRef } from "preact/hooks";
import { path } from "../router";

// Tabs are pages of one noun, each with an address of its own.
export function Tabs({ label, all }: { label: string; all: { href: string; label: string }[] }) {
  const ref = useRef<HTMLElement>(null);
  useEffect(() => {
    const here = ref.current?.querySelector<HTMLElement>("[aria-current]");
    if (ref.current && here) ref.current.scrollLeft = here.offsetLeft - (ref.current.clientWidth - here.offsetWidth) / 2;
  }, [path.value]);
  return (
    <nav class="tabs" ref={ref} aria-label={label}>
      {all.map((one) => (
        <a key={one.href} href={one.href} aria-current={path.value === one.href ? "page" : undefined}>
          {one.label}
        </a>
      ))}
    </nav>
  );
}
