import { mayWrite } from "../../session";
import { t } from "../../text";
import { Note } from "../../ui/Note";
import { Head } from "../../ui/Page";
import { Start } from "../start/Start";

export default function New() {
  return (
    <>
      <Head title={t("start.title")} crumb={{ href: "/app/devices", label: t("devices.title") }} />
      {mayWrite.value ? <Start /> : <Note kind="warn">{t("read.only")}</Note>}
    </>
  );
}
