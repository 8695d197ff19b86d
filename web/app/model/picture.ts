// Pictures that dashboards keep. A member's are asked for with the space that they are in, which the address of an <img> could not
// say; those on a public link and those of elsewhere are shown as they are.
import { useEffect, useState } from "preact/hooks";
import { send } from "../api";

const ours = "/v1/dashboards/";

// usePicture is the address to show a picture by; undefined until it is there, "" if it cannot be had. Another turn asks for it
// anew, and the one of before is shown meanwhile.
export function usePicture(address: string, turn = 0): string | undefined {
  const [shown, show] = useState<string | undefined>(address.startsWith(ours) ? undefined : address);
  useEffect(() => {
    if (!address.startsWith(ours)) {
      show(turn && address ? `${address}${address.includes("?") ? "&" : "?"}turn=${turn}` : address);
      return undefined;
    }
    const left = new AbortController();
    send(address, { signal: left.signal })
      .then((answer) => answer.blob())
      .then(
        (blob) => !left.signal.aborted && show(URL.createObjectURL(blob)),
        () => !left.signal.aborted && show(""),
      );
    return () => left.abort();
  }, [address, turn]);
  useEffect(() => () => (shown?.startsWith("blob:") ? URL.revokeObjectURL(shown) : undefined), [shown]);
  return shown;
}
