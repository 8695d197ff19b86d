// The application begins here: texts, who is signed in, then the shell.
import { render } from "preact";
import { words } from "./api";
import { routes } from "./pages/routes";
import { keep } from "./keep";
import { base, follow, isShared, match, type Params, path } from "./router";
import { open } from "./session";
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
  const found = match(routes, path.value.replace(/\/+$/, "") === base ? guess() : path.value);
  let ahead: ((params: Params) => void) | undefined;
  found?.route.load().then((page) => (ahead = page.ahead), () => undefined); // on its way while we ask who is there
  try {
    if (!(await open())) return;
    if (found) ahead?.(found.params);
    root.replaceChildren();
    render(<Shell />, root);
  } catch (err) {
    root.replaceChildren();
    render(<Broken text={words(err)} />, root);
  }
}

void begin();
