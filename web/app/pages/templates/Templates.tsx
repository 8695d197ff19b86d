import { useSignal } from "@preact/signals";
import { words } from "../../api";
import { useQuery } from "../../data";
import { deleteTemplate, exportTemplate, gallery, listTemplates, type Template } from "../../model/template";
import { mayWrite } from "../../session";
import { t, tn } from "../../text";
import { Button } from "../../ui/Button";
import { confirm } from "../../ui/Confirm";
import { Empty } from "../../ui/Empty";
import { Menu } from "../../ui/Menu";
import { Failure } from "../../ui/Note";
import { Head } from "../../ui/Page";
import { Skeleton } from "../../ui/Skeleton";
import { complain, say } from "../../ui/Toast";
import { Apply } from "./Apply";
import { Import } from "./Import";
import { MakeTemplate } from "./MakeTemplate";

// Templates are those that come with the server, and those of the space.
export default function Templates() {
  const own = useQuery("templates", listTemplates);
  const ready = useQuery("templates:gallery", gallery);
  const open = useSignal<"" | "import" | "make">("");
  const applied = useSignal<Template | undefined>(undefined);
  const all = own.data.value;
  const drop = async (x: Template): Promise<void> => {
    if (!(await confirm({ title: t("template.delete.title", { name: x.name }), text: t("template.delete.text"), action: t("delete"), danger: true }))) return;
    await deleteTemplate(x.id).then(() => say(t("template.deleted", { name: x.name })), (err: unknown) => complain(words(err)));
    await own.reload();
  };
  const get = (x: Template): void => void exportTemplate(x).catch((err: unknown) => complain(words(err)));
  return (
    <>
      <Head title={t("templates.title")} about={t("templates.about")}>
        {mayWrite.value && (
          <>
            <Button icon="download" onClick={() => (open.value = "import")}>
              {t("templates.import")}
            </Button>
            <Button kind="main" icon="plus" onClick={() => (open.value = "make")}>
              {t("templates.make")}
            </Button>
          </>
        )}
      </Head>
      <h2>{t("templates.own")}</h2>
      <Failure error={own.error.value} again={() => void own.reload()} />
      {!all ? !own.error.value && <Skeleton kind="card" rows={2} /> : all.length ? <Cards all={all} onApply={(x) => (applied.value = x)} onExport={get} onDrop={(x) => void drop(x)} /> : <Empty icon="template" title={t("templates.none")}><p>{t("templates.none.text")}</p></Empty>}
      <h2>{t("templates.gallery")}</h2>
      <Failure error={ready.error.value} again={() => void ready.reload()} />
      {ready.data.value ? <Cards all={ready.data.value} onApply={(x) => (applied.value = x)} onExport={get} /> : !ready.error.value && <Skeleton kind="card" rows={3} />}
      {open.value === "make" && (
        <MakeTemplate
          onClose={() => (open.value = "")}
          onMade={() => {
            open.value = "";
            void own.reload();
          }}
        />
      )}
      {open.value === "import" && (
        <Import
          onClose={() => (open.value = "")}
          onImported={(id) => {
            open.value = "";
            void own.reload().then(() => (applied.value = own.data.value?.find((x) => x.id === id)));
          }}
        />
      )}
      {applied.value && <Apply template={applied.value} onClose={() => (applied.value = undefined)} />}
    </>
  );
}

function Cards({ all, onApply, onExport, onDrop }: { all: Template[]; onApply: (x: Template) => void; onExport: (x: Template) => void; onDrop?: (x: Template) => void }) {
  return (
    <ul class="cards">
      {all.map((x) => (
        <li key={x.id} class="card">
          <div class="card-head">
            <h3>{x.name}</h3>
            <Menu
              label={t("template.acts", { name: x.name })}
              groups={[
                { items: [{ label: t("template.export"), icon: "download", onPick: () => onExport(x) }] },
                ...(onDrop && mayWrite.value ? [{ items: [{ label: t("delete"), icon: "trash" as const, danger: true, onPick: () => onDrop(x) }] }] : []),
              ]}
            />
          </div>
          {x.description && <p class="soft clamp">{x.description}</p>}
          <p class="hint">{contents(x)}</p>
          <div class="card-end">
            <Button small kind="plain" onClick={() => onApply(x)}>
              {mayWrite.value ? t("template.use") : t("template.look")}
            </Button>
          </div>
        </li>
      ))}
    </ul>
  );
}

export function contents(x: Template): string {
  const parts = [x.things && tn("template.things", x.things), x.dashboards && tn("template.dashboards", x.dashboards), x.triggers && tn("template.triggers", x.triggers), x.sketches && tn("template.sketches", x.sketches)];
  return parts.filter(Boolean).join(" · ");
}
