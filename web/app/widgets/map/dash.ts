// How the line of a way is drawn: as stroke-dasharray has it.
export const dashNames = ["solid", "dashed", "dotted"] as const;

const dashes: Record<string, string> = { solid: "", dashed: "8 6", dotted: "1 6" };

export const dashOf = (name: string): string => dashes[name] ?? "";
