export const kinds = {
  bool: "STATUS HOME_CONTACT_SENSOR HOME_LIGHT HOME_MOTION_SENSOR HOME_SMART_PLUG HOME_SWITCH",
  int: "INT COUNT INFORMATION_CONTENT",
  time: "TIME",
  text: "CHARSTRING",
  location: "LOCATION",
  color: "COLOR_HSB",
  dimmed: "HOME_DIMMED_LIGHT",
  colored: "HOME_COLORED_LIGHT",
  television: "HOME_TELEVISION",
  schedule: "SCHEDULE",
  free: "GENERIC_COMPLEX_PROPERTY",
} as const;
