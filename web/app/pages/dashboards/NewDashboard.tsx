import { createDashboard } from "../../model/dashboard";
import { go } from "../../router";
import { t } from "../../text";
import { Rename } from "../../ui/Rename";

// NewDashboard makes one, and leads to where its widgets are added.
export default function NewDashboard({ onClose }: { onClose: () => void }) {
  const make = async (name: string): Promise<void> => {
    const made = await createDashboard({ name, pages: [], widgets: [] });
    setTimeout(() => go(`/app/dashboards/${made.id}?edit=1`)); // after the dialog has gone
  };
  return <Rename title={t("boards.add")} name="" hint={t("boards.name.hint")} action={t("boards.make")} save={make} onClose={onClose} />;
}
