// What editing makes of widgets.
import type { Widget } from "../../../model/dashboard";
import type { Kind } from "../../../widgets/widget";
import { columns, nextFree, type Spots, spotsOf } from "../grid";

// newWidget is one of a kind, behind all others of its page.
export function newWidget(kind: Kind, page: string, others: Widget[]): Widget {
  const s = nextFree(spotsOf(others, false), kind.size, columns(false));
  return {
    id: crypto.randomUUID(), type: kind.type, name: "", page_id: page, x: s.x, y: s.y, width: s.w, height: s.h, options: { ...kind.options }, variables: [],
    has_unlinked_variable: false, has_type_incompatibility: false, has_permission_incompatibility: false,
  };
}

// copyOf is another widget like one, behind all others of its page.
export function copyOf(w: Widget, others: Widget[]): Widget {
  const { x_mobile, y_mobile, width_mobile, height_mobile, ...rest } = w;
  const s = nextFree(spotsOf(others, false), { w: w.width, h: w.height }, columns(false));
  return { ...rest, id: crypto.randomUUID(), x: s.x, y: s.y, width: s.w, height: s.h, options: structuredClone(w.options) };
}

// withSpots puts widgets where they stand now; all others stay.
export function withSpots<C extends { widgets: Widget[] }>(c: C, spots: Spots, mobile: boolean): C {
  return {
    ...c,
    widgets: c.widgets.map((w) => {
      const s = spots.get(w.id);
      if (!s) return w;
      return mobile ? { ...w, x_mobile: s.x, y_mobile: s.y, width_mobile: s.w, height_mobile: s.h } : { ...w, x: s.x, y: s.y, width: s.w, height: s.h };
    }),
  };
}
