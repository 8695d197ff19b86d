// All pages, by their addresses. Each is loaded when somebody goes there.
import type { Route } from "../router";

export const routes: Route[] = [
  { path: "/dashboards", title: "boards.title", load: () => import("./dashboards/Dashboards") },
  { path: "/dashboards/:id", title: "board.title", load: () => import("./dashboards/Dashboard") },
  { path: "/dashboards/:id/:page", title: "board.title", load: () => import("./dashboards/Dashboard") },
  { path: "/things", title: "things.title", load: () => import("./things/Things") },
  { path: "/things/:id", title: "thing.values", load: () => import("./things/Values") },
  { path: "/things/:id/history", title: "thing.history", load: () => import("./things/History") },
  { path: "/things/:id/setup", title: "thing.setup", load: () => import("./things/Setup") },
  { path: "/things/:id/sketch", title: "thing.sketch", load: () => import("./things/Sketch") },
  { path: "/things/:id/about", title: "thing.about", load: () => import("./things/About") },
  { path: "/devices", title: "devices.title", load: () => import("./devices/Devices") },
  { path: "/devices/new", title: "start.title", load: () => import("./devices/New") },
  { path: "/devices/:id", title: "device.title", load: () => import("./devices/Device") },
];

// rooms are the entries of the navigation; search finds them, too.
export const rooms = [
  { href: "/app/dashboards", title: "boards.title", icon: "dashboards" },
  { href: "/app/things", title: "things.title", icon: "things" },
  { href: "/app/devices", title: "devices.title", icon: "devices" },
] as const;
