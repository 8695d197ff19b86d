// The part of Markdown that notes are written in: headings, lists, quotes, code, rules, and words that are strong,
// emphasized, struck out, code or links. It becomes a tree and never a text of HTML, so a note can do nothing but be read.

export type Inline = { is: "text" | "code"; text: string } | { is: "strong" | "em" | "del"; all: Inline[] } | { is: "link"; to: string; all: Inline[] } | { is: "break" };

export type Block =
  | { is: "heading"; level: number; all: Inline[] }
  | { is: "paragraph"; all: Inline[] }
  | { is: "list"; ordered: boolean; start: number; items: Block[][] }
  | { is: "quote"; all: Block[] }
  | { is: "code"; text: string }
  | { is: "rule" };

export const most = 16_000; // characters that are read; the rest of a longer note is left out
const deepest = 6; // quotes and lists in one another, and words in words

const heading = /^ {0,3}(#{1,6})(?:\s+(.*?))?\s*#*\s*$/;
const rule = /^ {0,3}([-*_])(?:\s*\1){2,}\s*$/;
const fence = /^ {0,3}(```+|~~~+)/;
const quote = /^ {0,3}> ?/;
const item = /^( {0,3})([-*+]|(\d{1,9})[.)])(\s+|$)/;

// readNote reads a note.
export function readNote(text: string): Block[] {
  return blocks(text.slice(0, most).replace(/\r\n?/g, "\n").replace(/\t/g, "    ").split("\n"), 0);
}

function blocks(lines: string[], depth: number): Block[] {
  const out: Block[] = [];
  let words: string[] = [];
  const end = (): void => {
    if (words.length) out.push({ is: "paragraph", all: inlines(words.join("\n"), 0) });
    words = [];
  };
  for (let i = 0; i < lines.length; ) {
    const line = lines[i] ?? "";
    const opens = fence.exec(line)?.[1];
    const head = heading.exec(line);
    if (opens) {
      end();
      const code: string[] = [];
      for (i++; i < lines.length && !lines[i]?.trimStart().startsWith(opens); i++) code.push(lines[i] ?? "");
      i++;
      out.push({ is: "code", text: code.join("\n") });
    } else if (head) {
      end();
      out.push({ is: "heading", level: head[1]?.length ?? 1, all: inlines(head[2] ?? "", 0) });
      i++;
    } else if (rule.test(line)) {
      end();
      out.push({ is: "rule" });
      i++;
    } else if (depth < deepest && quote.test(line)) {
      end();
      const inner: string[] = [];
      for (; i < lines.length && quote.test(lines[i] ?? ""); i++) inner.push((lines[i] ?? "").replace(quote, ""));
      out.push({ is: "quote", all: blocks(inner, depth + 1) });
    } else if (depth < deepest && item.test(line)) {
      end();
      i = list(lines, i, depth, out);
    } else {
      if (line.trim() === "") end();
      else words.push(line.trimStart());
      i++;
    }
  }
  end();
  return out;
}

// list reads a list that begins at a line, and says where it ends.
function list(lines: string[], from: number, depth: number, out: Block[]): number {
  const first = item.exec(lines[from] ?? "");
  const ordered = first?.[3] !== undefined;
  const items: Block[][] = [];
  let i = from;
  while (i < lines.length) {
    const begins = item.exec(lines[i] ?? "");
    if (!begins || (begins[3] !== undefined) !== ordered || rule.test(lines[i] ?? "")) break;
    const inner = [(lines[i] ?? "").slice(begins[0].length)];
    const indent = Math.min(begins[0].length, 4);
    for (i++; i < lines.length; i++) {
      const line = lines[i] ?? "";
      const deep = line.length - line.trimStart().length;
      if (line.trim() === "") {
        const next = lines[i + 1] ?? "";
        if (next.trim() === "" || next.length - next.trimStart().length < 2) break;
        inner.push("");
      } else if (deep >= 2) inner.push(line.slice(Math.min(deep, indent)));
      else if (item.test(line) || heading.test(line) || fence.test(line) || quote.test(line) || rule.test(line)) break;
      else inner.push(line);
    }
    items.push(blocks(inner, depth + 1));
    while (i < lines.length && lines[i]?.trim() === "" && item.test(lines[i + 1] ?? "")) i++;
  }
  out.push({ is: "list", ordered, start: Number(first?.[3] ?? 1), items });
  return i;
}

const marks = { "**": "strong", __: "strong", "~~": "del", "*": "em", _: "em" } as const;
const special = /[\\`*_~[<\n]|https?:\/\//g;

// inlines reads the words of a line. What is opened and never closed is looked for once.
function inlines(text: string, depth: number): Inline[] {
  const out: Inline[] = [];
  const never = new Set<string>();
  let plain = "";
  const say = (one: Inline): void => {
    if (plain) out.push({ is: "text", text: plain });
    plain = "";
    out.push(one);
  };
  const closing = (mark: string, from: number): number => {
    if (never.has(mark)) return -1;
    let at = text.indexOf(mark, from);
    // One star is not the first half of two.
    while (mark.length === 1 && at >= 0 && (text[at + 1] === mark || text[at - 1] === mark) && mark !== "`") at = text.indexOf(mark, at + 2);
    if (at < 0) never.add(mark);
    return at;
  };
  let i = 0;
  while (i < text.length) {
    special.lastIndex = i;
    const found = special.exec(text);
    const at = found?.index ?? text.length;
    plain += text.slice(i, at);
    i = at;
    if (!found) break;
    const c = text[i] ?? "";
    if (c === "\\" && /[\\`*_~[\]()#<>+.!|-]/.test(text[i + 1] ?? "")) {
      plain += text[i + 1] ?? "";
      i += 2;
      continue;
    }
    if (c === "\n") {
      if (/ {2,}$|\\$/.test(plain)) {
        plain = plain.replace(/ +$|\\$/, "");
        say({ is: "break" });
      } else plain += "\n";
      i++;
      continue;
    }
    if (c === "`") {
      const end = closing("`", i + 1);
      if (end > i + 1) {
        say({ is: "code", text: text.slice(i + 1, end) });
        i = end + 1;
        continue;
      }
    } else if (c === "[") {
      const link = linkAt(text, i, never);
      if (link && depth < deepest) {
        say({ is: "link", to: link.to, all: inlines(link.words, deepest) });
        i = link.end;
        continue;
      }
    } else if (c === "h" || c === "<") {
      const address = /^<?(https?:\/\/[^\s<>]{1,2000})>?/.exec(text.slice(i, i + 2020));
      const to = address && safe(address[1]?.replace(/[.,;:!?)]+$/, "") ?? "");
      if (address && to && depth < deepest) {
        const bare = c === "<" ? (address[1] ?? "") : (address[1] ?? "").replace(/[.,;:!?)]+$/, "");
        say({ is: "link", to, all: [{ is: "text", text: bare }] });
        i += c === "<" ? address[0].length : bare.length;
        continue;
      }
    } else if (depth < deepest) {
      const two = text.slice(i, i + 2);
      const mark = two in marks ? two : c;
      const inWord = c === "_" && /\w/.test(text[i - 1] ?? " ");
      const end = mark in marks && !inWord && /\S/.test(text[i + mark.length] ?? " ") ? closing(mark, i + mark.length + 1) : -1;
      if (end > 0) {
        say({ is: marks[mark as keyof typeof marks], all: inlines(text.slice(i + mark.length, end), depth + 1) });
        i = end + mark.length;
        continue;
      }
    }
    plain += c;
    i++;
  }
  if (plain) out.push({ is: "text", text: plain });
  return out;
}

function linkAt(text: string, at: number, never: Set<string>): { words: string; to: string; end: number } | undefined {
  if (never.has("](")) return undefined;
  const middle = text.indexOf("](", at);
  if (middle < 0) {
    never.add("](");
    return undefined;
  }
  const end = text.indexOf(")", middle);
  const to = end < 0 || end - middle > 2000 ? "" : safe(text.slice(middle + 2, end).trim().split(/\s/)[0] ?? "");
  return to && middle - at < 2000 ? { words: text.slice(at + 1, middle), to, end: end + 1 } : undefined;
}

// safe is an address that a note may lead to: of the web, of mail, or of this application; "" for others.
function safe(to: string): string {
  return /^(https?:\/\/[^\s]+|mailto:[^\s]+|\/app\/[^\s]*)$/i.test(to) ? to : "";
}
