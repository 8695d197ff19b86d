import type { RefObject } from "preact";
import { useState } from "preact/hooks";
import { ink } from "../../chart/Plot";
import { hand } from "../../download";
import { fromWall, wall } from "../../format";
import { t } from "../../text";
import { Button } from "../../ui/Button";
import { Dialog } from "../../ui/Dialog";
import { Field } from "../../ui/Field";
import { type Chosen, endsOf } from "../range";
import type { Drawn } from "./curves";

type Table = ArrayLike<ArrayLike<number | null | undefined>>;

interface Props {
  name: string;
  range: Chosen;
  zone: string;
  curves: Drawn[];
  table: Table;
  canvas: RefObject<HTMLCanvasElement | null>;
}

// Tools are what can be done with a chart as a whole: to choose two dates, and to keep it as a picture or a table.
export function Tools({ name, range, zone, curves, table, canvas }: Props) {
  const [choosing, choose] = useState(false);
  return (
    <>
      <div class="w-tools" role="group" aria-label={t("widget.chart.more", { name })}>
        <Button small kind="quiet" icon="clock" label={t("widget.chart.dates")} onClick={() => choose(true)} />
        <Button small kind="quiet" onClick={() => keepPicture(canvas.current, name)}>
          PNG
        </Button>
        <Button small kind="quiet" onClick={() => hand(new Blob([csv(curves, table)], { type: "text/csv" }), name + ".csv")}>
          CSV
        </Button>
      </div>
      {choosing && <Dates range={range} zone={zone} onClose={() => choose(false)} />}
    </>
  );
}

function Dates({ range, zone, onClose }: { range: Chosen; zone: string; onClose: () => void }) {
  const [from, to] = endsOf(range);
  const [begin, setBegin] = useState(wall(from, zone));
  const [end, setEnd] = useState(wall(to, zone));
  const wrong = begin && end && begin >= end ? t("widget.dates.wrong") : "";
  return (
    <Dialog
      title={t("widget.chart.dates")}
      onClose={onClose}
      actions={
        <>
          <Button onClick={onClose}>{t("cancel")}</Button>
          <Button kind="main" type="submit" form="dates">
            {t("widget.dates.show")}
          </Button>
        </>
      }
    >
      <form
        id="dates"
        class="stack"
        onSubmit={(e) => {
          e.preventDefault();
          if (!begin || !end || wrong) return;
          range.between(fromWall(begin, zone), fromWall(end, zone));
          onClose();
        }}
      >
        <div class="pair">
          <Field label={t("widget.dates.from")}>{(f) => <input {...f} type="datetime-local" required value={begin} onInput={(e) => setBegin(e.currentTarget.value)} />}</Field>
          <Field label={t("widget.dates.to")} error={wrong}>
            {(f) => <input {...f} type="datetime-local" required value={end} onInput={(e) => setEnd(e.currentTarget.value)} />}
          </Field>
        </div>
        <p class="soft">{t("schedule.zone", { zone })}</p>
      </form>
    </Dialog>
  );
}

// keepPicture keeps a canvas on paper: by itself it has none.
function keepPicture(canvas: HTMLCanvasElement | null, name: string): void {
  if (!canvas) return;
  const copy = document.createElement("canvas");
  copy.width = canvas.width;
  copy.height = canvas.height;
  const pen = copy.getContext("2d");
  if (!pen) return;
  pen.fillStyle = ink(canvas.parentElement ?? document.body, "paper-ink");
  pen.fillRect(0, 0, copy.width, copy.height);
  pen.drawImage(canvas, 0, 0);
  copy.toBlob((blob) => blob && hand(blob, name + ".png"));
}

// csv is the table as it is drawn. A name that a spreadsheet would take for a formula is none.
function csv(curves: Drawn[], table: Table): string {
  const cell = (text: string): string => `"${text.replace(/^[=+\-@]/, "'$&").replaceAll('"', '""')}"`;
  const rows = [["time", ...curves.map((c) => c.name)].map(cell).join(",")];
  const times = table[0] ?? [];
  for (let i = 0; i < times.length; i++) rows.push([new Date((times[i] ?? 0) * 1000).toISOString(), ...curves.map((_, n) => table[n + 1]?.[i] ?? "")].join(","));
  return rows.join("\r\n") + "\r\n";
}
