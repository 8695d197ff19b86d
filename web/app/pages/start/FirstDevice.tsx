import { mayWrite } from "../../session";
import { t } from "../../text";
import { Empty } from "../../ui/Empty";
import { Head } from "../../ui/Page";
import { Start } from "./Start";

// FirstDevice is what a space shows in which nothing is yet.
export function FirstDevice() {
  if (!mayWrite.value)
    return (
      <>
        <Head title={t("devices.title")} />
        <Empty icon="devices" title={t("first.none")}>
          <p>{t("first.none.text")}</p>
        </Empty>
      </>
    );
  return (
    <>
      <Head title={t("first.title")} about={t("first.text")} />
      <Start />
    </>
  );
}
