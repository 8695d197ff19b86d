// Where one begins: at the dashboards if the space has any, where a first device is made if it has nothing at all, else at the things.
import { know } from "../data";
import { listDashboards } from "../model/dashboard";
import { listDevices } from "../model/device";
import { listThings } from "../model/thing";
import { base } from "../router";

const boards = base + "/dashboards";
const things = base + "/things";
const remembered = "ardesia.first";

// guess is where it was the last time: its code and its lists are on their way before the server has said whether it still is.
export const guess = (): string => (localStorage.getItem(remembered) === boards ? boards : things);

// first asks where it is. What it asks for, the page there has at once.
export async function first(): Promise<string> {
  const others = () => Promise.all([asked("devices", listDevices), asked("things", listThings)]);
  const early = guess() === boards ? undefined : others();
  early?.catch(() => undefined); // is waited for below, or not needed
  const all = await asked("dashboards", listDashboards);
  let to = boards;
  if (!all.length) {
    const both = await (early ?? others());
    to = both.some((list) => list.length > 0) ? things : base + "/devices";
  }
  localStorage.setItem(remembered, to);
  return to;
}

async function asked<T>(key: string, list: () => Promise<T>): Promise<T> {
  const all = await list();
  know(key, all);
  return all;
}
