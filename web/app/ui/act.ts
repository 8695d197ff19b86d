import { type Signal, useSignal } from "@preact/signals";
import { isAbort, Problem, signedOut, words } from "../api";

export interface Act {
  busy: Signal<boolean>;
  wrong: Signal<string>; // what went wrong the last time, in words; "" nothing
  code: Signal<string>; // the server's code of that; "" it was not the server
  // at is what went wrong if its code is one of these: for the field that is meant.
  at: (...codes: string[]) => string | undefined;
  // run does something; true: it worked. What is begun while it runs is left out.
  run: (what: () => Promise<unknown>) => Promise<boolean>;
}

// useAct is something that a page does, with what its button and its message need.
export function useAct(): Act {
  const busy = useSignal(false);
  const wrong = useSignal("");
  const code = useSignal("");
  return {
    busy,
    wrong,
    code,
    at: (...codes) => (codes.includes(code.value) && wrong.value) || undefined,
    run: async (what) => {
      if (busy.value) return false;
      busy.value = true;
      wrong.value = "";
      try {
        await what();
        return true;
      } catch (err) {
        if (isAbort(err) || signedOut.value) return false; // who was signed out is asked to sign in
        code.value = err instanceof Problem ? err.code : "";
        wrong.value = words(err);
        return false;
      } finally {
        busy.value = false;
      }
    },
  };
}
