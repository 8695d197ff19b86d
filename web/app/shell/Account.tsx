import { more } from "../pages/routes";
import { accountPage } from "../session";
import { lang, t } from "../text";
import { Icon } from "../ui/Icon";
import { Menu } from "../ui/Menu";
import { choose, chooseLanguage, type Theme, theme } from "./theme";

// AccountMenu leads to the pages of the account, which the server makes, and chooses how this one looks.
export function AccountMenu() {
  const look = (t0: Theme, label: string) => ({ label, checked: theme.value === t0, onPick: () => choose(t0) });
  const speak = (code: string, label: string) => ({ label, checked: lang === code, onPick: () => code !== lang && void chooseLanguage(code) });
  return (
    <Menu
      label={t("account.menu")}
      class="account"
      up
      start
      groups={[
        {
          items: [
            { label: t("account.account"), icon: "user", href: accountPage("/account"), plain: true },
            { label: t("account.keys"), icon: "key", href: accountPage("/account/keys"), plain: true },
            { label: t("account.activity"), icon: "clock", href: accountPage("/account/activity"), plain: true },
            { label: t("account.docs"), icon: "info", href: "/docs/", plain: true },
            { label: t("account.api"), icon: "code", href: "/apidocs", plain: true },
            { label: t("account.licences"), icon: "check", href: new URL("./licences.txt", import.meta.url).href, plain: true },
          ],
        },
        { items: [...more.map((r) => ({ label: t(r.title), icon: r.icon, href: r.href })), { label: t("notices.title"), icon: "bell" as const, href: "/app/notices" }] },
        { title: t("theme.title"), items: [look("system", t("theme.system")), look("light", t("theme.light")), look("dark", t("theme.dark"))] },
        { title: t("lang.title"), items: [speak("en", "English"), speak("it", "Italiano")] },
        { items: [{ label: t("account.out"), icon: "lock", href: accountPage("/signout"), plain: true }] },
      ]}
    >
      <Icon name="user" size={22} />
      <span>{t("account.account")}</span>
    </Menu>
  );
}
