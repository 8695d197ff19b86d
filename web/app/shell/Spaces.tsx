import { accountPage, enter, type Space, space, spaces } from "../session";
import { t } from "../text";
import { Icon } from "../ui/Icon";
import { type Item, Menu } from "../ui/Menu";

export function spaceName(s: Space): string {
  return s.kind === "private" ? t("space.private") : s.name;
}

// pagesOf are the pages of a space that the server makes. A private one has no members but its owner.
function pagesOf(s: Space): Item[] {
  const at = (part: string): string => accountPage("/account/spaces/" + s.id + part);
  const usage: Item = { label: t("space.usage"), icon: "chart", href: at("/usage"), plain: true };
  return s.kind === "shared" ? [{ label: t("space.members"), icon: "user", href: at("/members"), plain: true }, usage] : [usage];
}

// Spaces says in which space one is, and leads to the others.
export function Spaces() {
  const here = space.value;
  if (!here) return null;
  return (
    <Menu
      label={t("space.switch", { name: spaceName(here) })}
      class="spaces"
      start
      groups={[
        { title: t("space.title"), items: spaces.value.map((s) => ({ label: spaceName(s), checked: s.id === here.id, onPick: () => s.id !== here.id && enter(s.id) })) },
        { title: spaceName(here), items: pagesOf(here) },
        { items: [{ label: t("space.manage"), icon: "edit", href: accountPage("/account/spaces"), plain: true }] },
      ]}
    >
      <span class="spaces-name">
        <small>{t(`role.${here.role}`)}</small>
        <b>{spaceName(here)}</b>
      </span>
      <Icon name="down" size={16} />
    </Menu>
  );
}
