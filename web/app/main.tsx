// The application begins here: texts, who is signed in, then the shell.
import { render } from "preact";
import { words } from "./api";
import { routes } from "./pages/routes";
import { base, follow, isShared, match, path } from "./router";
import { open } from "./session";
import { keep } from "./shell/keep";
import { Broken } from "./shell/Broken";
import { guess } from "./shell/first";
import { Shell } from "./shell/Shell";
import { readTexts } from "./text";

async function begin(): Promise<void> {
  const root = document.getElementById("app");
  if (!root) return;
  await readTexts();
  follow();
  if (isShared(path.value)) {
    const { SharedPage } = await import("./pages/dashboards/Shared");
    root.replaceChildren();
    render(<SharedPage token={path.value.split("/")[3] ?? ""} />, root);
    return;
  }
  keep();
  const to = path.value.replace(/\/+$/, "") === base ? guess() : path.value;
  void match(routes, to)?.route.load().catch(() => undefined); // on its way while we ask who is there
  try {
    if (!(await open())) return;
    root.replaceChildren();
    render(<Shell />, root);
  } catch (err) {
    root.replaceChildren();
    render(<Broken text={words(err)} />, root);
  }
}

void begin();
