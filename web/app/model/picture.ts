// Pictures that dashboards keep. A member's are asked for with the space that they are in, which the address of an <img> could not
// say; those on a public link and those of elsewhere are shown as they are.
import { useEffect, useState } from "preact/hooks";
import { send } from "../api";

const ours = "/v1/dashboards/";

// usePicture is the address to show a picture by; undefined until it is there, "" if it cannot be had.
export function usePicture(address: string): string | undefined {
  const [shown, show] = useState<string | undefined>(address.startsWith(ours) ? undefined : address);
  useEffect(() => {
    if (!address.startsWith(ours)) {
      show(address);
      return undefined;
    }
    const left = new AbortController();
    let made = "";
    send(address, { signal: left.signal })
      .then((answer) => answer.blob())
      .then(
        (blob) => !left.signal.aborted && show((made = URL.createObjectURL(blob))),
        () => !left.signal.aborted && show(""),
      );
    return () => {
      left.abort();
      if (made) URL.revokeObjectURL(made);
    };
  }, [address]);
  return shown;
}
