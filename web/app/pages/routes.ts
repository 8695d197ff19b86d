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
  { path: "/triggers", title: "triggers.title", load: () => import("./triggers/Triggers") },
  { path: "/triggers/new", title: "triggers.add", load: () => import("./triggers/Edit") },
  { path: "/triggers/:id", title: "trigger.title", load: () => import("./triggers/Trigger") },
  { path: "/triggers/:id/edit", title: "trigger.title", load: () => import("./triggers/Edit") },
  { path: "/updates", title: "campaigns.title", load: () => import("./ota/Campaigns") },
  { path: "/updates/new", title: "campaigns.add", load: () => import("./ota/NewCampaign") },
  { path: "/updates/:id", title: "campaign.title", load: () => import("./ota/Campaign") },
  { path: "/templates", title: "templates.title", load: () => import("./templates/Templates") },
  { path: "/notices", title: "notices.title", load: () => import("./notices/Notices") },
];

// rooms are the entries of the navigation; search finds them, too.
export const rooms = [
  { href: "/app/dashboards", title: "boards.title", icon: "dashboards" },
  { href: "/app/things", title: "things.title", icon: "things" },
  { href: "/app/devices", title: "devices.title", icon: "devices" },
  { href: "/app/triggers", title: "triggers.title", icon: "bolt" },
] as const;

// more are entries that are needed less often: below the others where there is room, and in the menu of the account.
export const more = [
  { href: "/app/updates", title: "campaigns.title", icon: "update" },
  { href: "/app/templates", title: "templates.title", icon: "template" },
] as const;
