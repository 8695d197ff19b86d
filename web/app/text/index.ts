// The texts of the application: one catalogue, English (en.ts), of which every other language has the same keys. The
// language is that of the page, which the server chose as it does for all other pages.
import type { ComponentChildren } from "preact";
import type { en } from "./en";

export type Texts = Record<keyof typeof en, string>;
export type Key = keyof Texts;

// A Plural is the beginning of two keys, for one and for other numbers.
export type Plural = { [K in Key]: K extends `${infer Begin}.other` ? Begin : never }[Key];

export const lang = document.documentElement.lang === "it" ? "it" : "en";

let texts: Texts;

// readTexts gets the texts; nothing may be shown before.
export async function readTexts(): Promise<void> {
  texts = lang === "it" ? (await import("./it")).it : (await import("./en")).en;
}

export type Args = Record<string, string | number>;

// t is the text with a key; {name} in it is what args say.
export function t(key: Key, args?: Args): string {
  const text = texts[key];
  return args ? text.replace(/\{(\w+)\}/g, (all, name: string) => String(args[name] ?? all)) : text;
}

const plurals = new Intl.PluralRules(lang);
const whole = new Intl.NumberFormat(lang);

// tn is the text for a number of something; {n} in it is the number.
export function tn(key: Plural, n: number, args?: Args): string {
  const form = plurals.select(n) === "one" ? "one" : "other";
  return t(`${key}.${form}` as Key, { n: whole.format(n), ...args });
}

// tx is t with elements in the places of names.
export function tx(key: Key, parts: Record<string, ComponentChildren>): ComponentChildren[] {
  return t(key)
    .split(/(\{\w+\})/)
    .map((piece) => (piece.startsWith("{") ? (parts[piece.slice(1, -1)] ?? piece) : piece));
}

// said is what the server says with a problem's code, in the language of the page as far as we have it; its own is English.
export async function said(code: string, detail: string): Promise<string> {
  return lang === "it" ? ours(import("./problems"), (list) => list.inItalian(code, detail), detail) : detail;
}

// typeNames tells what a type of properties is called in the language of the page, by what the server calls it.
export async function typeNames(): Promise<(type: string, name: string) => string> {
  const theirs = (_: string, name: string): string => name;
  return lang === "it" ? ours(import("./types"), (list) => list.inItalian, theirs) : theirs;
}

// ours is something of a list, or what there is without it when it cannot be loaded.
async function ours<L, R>(list: Promise<L>, get: (list: L) => R, without: R): Promise<R> {
  return list.then(get, () => without);
}
