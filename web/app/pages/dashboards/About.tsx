import { useSignal } from "@preact/signals";
import { save } from "../../download";
import { changeDashboard, type Dashboard, setCover, tagDashboard, templateAddress, untagDashboard } from "../../model/dashboard";
import { usePicture } from "../../model/picture";
import { t } from "../../text";
import { useAct } from "../../ui/act";
import { Button } from "../../ui/Button";
import { CopyText } from "../../ui/Copy";
import { Dialog } from "../../ui/Dialog";
import { Field } from "../../ui/Field";
import { Note } from "../../ui/Note";
import { TagEditor } from "../../ui/Tag";

// About is what a dashboard is called and looks like in the list, and what else can be done with the whole.
export default function About({ dashboard: d, after, onClone, onClose }: { dashboard: Dashboard; after: () => void; onClone: () => void; onClose: () => void }) {
  const name = useSignal(d.name);
  const act = useAct();
  const picture = usePicture(d.cover_image?.startsWith("/") ? d.cover_image : "");
  const done = (what: Promise<unknown>): Promise<void> => what.then(() => after());
  return (
    <Dialog title={t("board.about")} onClose={onClose}>
      <div class="stack">
        {act.wrong.value && <Note kind="bad">{act.wrong.value}</Note>}
        <form
          class="withbutton"
          onSubmit={(e) => {
            e.preventDefault();
            void act.run(() => done(changeDashboard(d.id, { name: name.value.trim() })));
          }}
        >
          <Field label={t("col.name")}>{(f) => <input {...f} type="text" required maxLength={64} autocomplete="off" value={name.value} onInput={(e) => (name.value = e.currentTarget.value)} />}</Field>
          <Button type="submit" busy={act.busy.value} disabled={name.value.trim() === d.name}>
            {t("rename")}
          </Button>
        </form>
        <Field label={t("about.cover")} hint={t("about.cover.hint")}>
          {(f) => (
            <input
              {...f}
              type="file"
              accept="image/png,image/jpeg,image/webp"
              onChange={(e) => {
                const file = e.currentTarget.files?.[0];
                if (file) void act.run(() => done(setCover(d.id, file)));
              }}
            />
          )}
        </Field>
        {d.cover_image && (
          <div class="coverline">
            {picture && <img src={picture} alt="" />}
            <Button small icon="close" onClick={() => void act.run(() => done(changeDashboard(d.id, { cover_image: "" })))}>
              {t("about.cover.drop")}
            </Button>
          </div>
        )}
        <div class="stack tight">
          <h3>{t("tags.title")}</h3>
          <TagEditor tags={d.tags} set={(k, v) => done(tagDashboard(d.id, k, v))} drop={(k) => done(untagDashboard(d.id, k))} fixed={false} />
        </div>
        <div class="stack tight">
          <h3>{t("about.id")}</h3>
          <CopyText text={d.id} label={t("about.id.copy")} />
        </div>
        <div class="acts">
          <Button icon="clone" onClick={onClone}>
            {t("boards.clone")}
          </Button>
          <Button icon="download" onClick={() => void act.run(() => save(templateAddress(d.id), {}, d.name + ".json"))}>
            {t("boards.template")}
          </Button>
        </div>
      </div>
    </Dialog>
  );
}
