import { type Signal, useSignal } from "@preact/signals";
import { isAbort, signedOut, words } from "../api";

export interface Act {
  busy: Signal<boolean>;
  wrong: Signal<string>; // what went wrong the last time, in words; "" nothing
  // run does something; true: it worked. What is begun while it runs is left out.
  run: (what: () => Promise<unknown>) => Promise<boolean>;
}

// useAct is something that a page does, with what its button and its message need.
export function useAct(): Act {
  const busy = useSignal(false);
  const wrong = useSignal("");
  return {
    busy,
    wrong,
    run: async (what) => {
      if (busy.value) return false;
      busy.value = true;
      wrong.value = "";
      try {
        await what();
        return true;
      } catch (err) {
        if (!isAbort(err) && !signedOut.value) wrong.value = words(err); // who was signed out is asked to sign in
        return false;
      } finally {
        busy.value = false;
      }
    },
  };
}
