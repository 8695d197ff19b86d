import { useSignal } from "@preact/signals";
import { Problem } from "../../api";
import { useQuery } from "../../data";
import { listBoards } from "../../model/device";
import { type Program, program, type Thing } from "../../model/thing";
import { type Params, query, setQuery } from "../../router";
import { save } from "../../download";
import { t } from "../../text";
import { useAct } from "../../ui/act";
import { Button } from "../../ui/Button";
import { Code } from "../../ui/Copy";
import { Failure, Note } from "../../ui/Note";
import { Panel } from "../../ui/Page";
import { Skeleton } from "../../ui/Skeleton";
import { Frame } from "./Frame";

const languages = ["", "cpp", "python", "micropython", "javascript"] as const;

export default function Sketch({ params }: { params: Params }) {
  return <Frame params={params}>{({ thing }) => <Shown thing={thing} />}</Frame>;
}

function Shown({ thing }: { thing: Thing }) {
  const language = languages.find((l) => l === query("language")) ?? "";
  const board = thing.device_id ? "" : query("board");
  const asked = { language, board };
  const p = useQuery(`thing:${thing.id}:sketch:${language}:${board}`, (s) => program(thing.id, asked, s));
  const boards = useQuery("boards", listBoards).data.value ?? [];
  const act = useAct();
  const wantsBoard = !thing.device_id && (language === "" || language === "cpp");
  const missing = p.error.value instanceof Problem && p.error.value.code === "no-device";
  return (
    <div class="stack">
      <div class="chartbar">
        <select aria-label={t("sketch.language")} value={language} onChange={(e) => setQuery("language", e.currentTarget.value)}>
          {languages.map((l) => (
            <option key={l} value={l}>
              {t(l ? `language.${l}` : "language.auto")}
            </option>
          ))}
        </select>
        {wantsBoard && (
          <select aria-label={t("sketch.board")} value={board} onChange={(e) => setQuery("board", e.currentTarget.value)}>
            <option value="">{t("sketch.board.choose")}</option>
            {boards
              .filter((b) => !b.type.startsWith("mkrwan") && b.type !== "generic_device_secretkey")
              .map((b) => (
                <option key={b.fqbn} value={b.fqbn}>
                  {b.label}
                </option>
              ))}
          </select>
        )}
        {p.data.value && (
          <Button kind="main" icon="download" busy={act.busy.value} onClick={() => void act.run(() => save(`/v1/things/${thing.id}/sketch.zip`, asked, (p.data.value?.name ?? "sketch") + ".zip"))}>
            {t("sketch.zip")}
          </Button>
        )}
      </div>
      {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
      {missing ? <Note>{t("sketch.nodevice")}</Note> : <Failure error={p.error.value} />}
      {p.data.value ? <Files key={language + board} p={p.data.value} /> : !p.error.value && <Skeleton kind="block" rows={2} />}
    </div>
  );
}

function Files({ p }: { p: Program }) {
  const first = p.files.find((f) => /\.ino$|^main\.py$|^index\.js$/.test(f.name)) ?? p.files[0];
  const chosen = useSignal(first?.name ?? "");
  const file = p.files.find((f) => f.name === chosen.value) ?? first;
  if (!file) return null;
  return (
    <Panel title={p.name}>
      <div class="files">
        <ul class="filelist" aria-label={t("sketch.files")}>
          {p.files.map((f) => (
            <li key={f.name}>
              <button type="button" aria-pressed={f.name === file.name} onClick={() => (chosen.value = f.name)}>
                {f.name}
              </button>
            </li>
          ))}
        </ul>
        <div class="file">
          <p class="soft">{file.keep ? t("sketch.keep") : t("sketch.generated")}</p>
          <Code key={file.name} text={file.text} label={file.name} tall />
        </div>
      </div>
      <p class="hint">{t("sketch.hint")}</p>
    </Panel>
  );
}
