import { signal } from "@preact/signals";
import { t } from "../text";
import { Button } from "./Button";

interface Told {
  id: number;
  text: string;
  bad: boolean;
  undo?: () => void;
}

const told = signal<Told[]>([]);
let last = 0;

// say tells of something that was done; undo takes it back while it is shown.
export function say(text: string, undo?: () => void): void {
  add({ id: ++last, text, bad: false, ...(undo && { undo }) }, undo ? 9000 : 5000);
}

// complain tells of something that failed and has no place of its own on the page.
export function complain(text: string): void {
  add({ id: ++last, text, bad: true }, 12_000);
}

function add(one: Told, ms: number): void {
  told.value = [...told.value.slice(-3), one];
  setTimeout(() => drop(one.id), ms);
}

function drop(id: number): void {
  told.value = told.value.filter((one) => one.id !== id);
}

// Toasts shows them; there is one of it, in the shell, and readers of screens hear what it says.
export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {told.value.map((one) => (
        <div key={one.id} class={one.bad ? "toast bad" : "toast"}>
          <p>{one.text}</p>
          {one.undo && (
            <Button
              small
              kind="quiet"
              onClick={() => {
                drop(one.id);
                one.undo?.();
              }}
            >
              {t("undo")}
            </Button>
          )}
          <Button small kind="quiet" icon="close" label={t("close")} onClick={() => drop(one.id)} />
        </div>
      ))}
    </div>
  );
}
