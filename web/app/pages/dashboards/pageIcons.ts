// Icons that pages of dashboards may have, by the names that the API keeps. Other clients may have written others: a character or
// two are shown as they are, all else as no icon.
export const pageIcons: Record<string, string> = {
  home: "m4 11 8-7 8 7M6.5 9.5V20h11V9.5M10 20v-6h4v6",
  sun: "M12 8a4 4 0 1 1 0 8 4 4 0 0 1 0-8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M18.7 5.3l-1.4 1.4M6.7 17.3l-1.4 1.4",
  drop: "M12 3.5s6 6.3 6 10.5a6 6 0 0 1-12 0c0-4.2 6-10.5 6-10.5z",
  heat: "M10 13.5V5.5a2 2 0 0 1 4 0v8a4 4 0 1 1-4 0zM12 9v7",
  bolt: "M13 3 5.5 13.5H12L11 21l7.5-10.5H12z",
  plant: "M12 21v-9M12 12c0-4 3-6.5 8-6.5 0 5-3.5 7-8 6.5zM12 15c0-3-2.5-5-7-5 0 4.5 3 6 7 5z",
  light: "M9 17.5h6M10 20.5h4M12 3.5a6 6 0 0 1 3.5 10.9c-.5.4-.5 1-.5 1.6v1.5H9V16c0-.6 0-1.2-.5-1.6A6 6 0 0 1 12 3.5z",
  chart: "M4 4v16h16M8 15l3.5-4.5 3 2.5L20 7",
  map: "m9 5-5 2v12l5-2 6 2 5-2V5l-5 2zM9 5v12M15 7v12",
  gear: "M12 9a3 3 0 1 1 0 6 3 3 0 0 1 0-6zM12 3v3M12 18v3M3 12h3M18 12h3M5.6 5.6l2.2 2.2M16.2 16.2l2.2 2.2M18.4 5.6l-2.2 2.2M7.8 16.2l-2.2 2.2",
  door: "M7 20.5V3.5h10v17M4 20.5h16M14 12h.01",
  bell: "M6 17V11a6 6 0 0 1 12 0v6zM4 17h16M10.5 20.5h3",
};
