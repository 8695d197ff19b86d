import type { ComponentChildren } from "preact";
import { type Block, type Inline, readNote } from "./markdown";

// Written is a note as its writer meant it. under is the level of the heading above it.
export function Written({ text, under }: { text: string; under: number }) {
  let level = under;
  // A heading is one below that before it, or less deep: readers of screens go from one to the next.
  const next = (wanted: number): number => (level = Math.min(6, level + 1, under + wanted));
  return <div class="w-written">{readNote(text).map((b, i) => block(b, i, next))}</div>;
}

function block(b: Block, key: number, next: (wanted: number) => number): ComponentChildren {
  switch (b.is) {
    case "heading": {
      const Tag = `h${next(b.level)}` as "h3";
      return (
        <Tag key={key} class={`w-h${Math.min(3, b.level)}`}>
          {b.all.map(inline)}
        </Tag>
      );
    }
    case "paragraph":
      return <p key={key}>{b.all.map(inline)}</p>;
    case "quote":
      return <blockquote key={key}>{b.all.map((one, i) => block(one, i, next))}</blockquote>;
    case "code":
      return (
        <pre key={key} tabIndex={0}>
          <code>{b.text}</code>
        </pre>
      );
    case "rule":
      return <hr key={key} />;
    case "list": {
      const items = b.items.map((all, i) => <li key={i}>{all.map((one, j) => (one.is === "paragraph" ? <span key={j}>{one.all.map(inline)}</span> : block(one, j, next)))}</li>);
      return b.ordered ? (
        <ol key={key} start={b.start}>
          {items}
        </ol>
      ) : (
        <ul key={key}>{items}</ul>
      );
    }
  }
}

function inline(one: Inline, key: number): ComponentChildren {
  switch (one.is) {
    case "text":
      return one.text;
    case "code":
      return <code key={key}>{one.text}</code>;
    case "break":
      return <br key={key} />;
    case "strong":
      return <strong key={key}>{one.all.map(inline)}</strong>;
    case "em":
      return <em key={key}>{one.all.map(inline)}</em>;
    case "del":
      return <del key={key}>{one.all.map(inline)}</del>;
    case "link":
      return one.to.startsWith("/") ? (
        <a key={key} href={one.to}>
          {one.all.map(inline)}
        </a>
      ) : (
        <a key={key} href={one.to} target="_blank" rel="noopener noreferrer">
          {one.all.map(inline)}
        </a>
      );
  }
}
