import { useEffect, useState } from "preact/hooks";
import { usePicture } from "../model/picture";
import { t } from "../text";
import { pictureOf } from "./picture";
import { flagIn, numberIn, textIn } from "./option";
import { nameOf } from "./use";
import type { ViewProps } from "./widget";

const soonest = 1; // seconds between two

// View is a picture: one that was put here, or one of elsewhere, which is asked for anew as often as wished.
export function View({ widget, elsewhere }: ViewProps) {
  const url = pictureOf(textIn(widget.options.url), elsewhere);
  const refresh = numberIn(widget.options.refresh);
  const [turn, next] = useState(0);
  useEffect(() => {
    if (!refresh || refresh <= 0) return undefined;
    const timer = setInterval(() => document.visibilityState === "visible" && next((n) => n + 1), Math.max(soonest, refresh) * 1000);
    return () => clearInterval(timer);
  }, [refresh, url]);
  return (
    <div class={["w w-image", flagIn(widget.options.background, false) && "back"].filter(Boolean).join(" ")}>
      {url ? <Shown key={url} url={url} turn={turn} name={nameOf(widget)} fill={textIn(widget.options.fit) === "fill"} /> : <p class="w-none">{t("widget.image.none")}</p>}
    </div>
  );
}

function Shown({ url, turn, name, fill }: { url: string; turn: number; name: string; fill: boolean }) {
  const shown = usePicture(url, turn);
  const [failed, fail] = useState<string | undefined>(undefined);
  if (shown === undefined) return <p class="w-none">{t("loading")}</p>;
  if (shown === "" || failed === shown) return <p class="w-none">{t("widget.image.failed")}</p>;
  return <img class={fill ? "fill" : "fit"} src={shown} alt={t("widget.image.of", { name })} decoding="async" onError={() => fail(shown)} onLoad={() => fail(undefined)} />;
}
