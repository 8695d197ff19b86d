import { path } from "../router";

// Tabs are pages of one noun, each with an address of its own.
export function Tabs({ label, all }: { label: string; all: { href: string; label: string }[] }) {
  return (
    <nav class="tabs" aria-label={label}>
      {all.map((one) => (
        <a key={one.href} href={one.href} aria-current={path.value === one.href ? "page" : undefined}>
          {one.label}
        </a>
      ))}
    </nav>
  );
}
