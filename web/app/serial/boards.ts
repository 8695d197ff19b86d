// Boards with a key of their own, by the numbers that USB tells of them. Written by go generate ./web.
export const boards: Record<string, { fqbn: string; type: string; name: string; ways: string }> = {
  "2341:8054": { fqbn: "arduino:samd:mkrwifi1010", type: "mkrwifi1010", name: "Arduino MKR WiFi 1010", ways: "wifi" },
  "2341:8057": { fqbn: "arduino:samd:nano_33_iot", type: "nano_33_iot", name: "Arduino Nano 33 IoT", ways: "wifi" },
  "2341:005e": { fqbn: "arduino:mbed_nano:nanorp2040connect", type: "nanorp2040connect", name: "Arduino Nano RP2040 Connect", ways: "wifi" },
  "2341:025b": { fqbn: "arduino:mbed_portenta:envie_m7", type: "envie_m7", name: "Arduino Portenta H7", ways: "wifi eth catm1 nb gsm cellular" },
  "2341:025f": { fqbn: "arduino:mbed_nicla:nicla_vision", type: "nicla_vision", name: "Arduino Nicla Vision", ways: "wifi" },
  "2341:0064": { fqbn: "arduino:mbed_opta:opta", type: "opta", name: "Arduino Opta", ways: "wifi eth catm1 cellular" },
  "2341:0266": { fqbn: "arduino:mbed_giga:giga", type: "giga", name: "Arduino GIGA R1 WiFi", ways: "wifi" },
  "2341:1002": { fqbn: "arduino:renesas_uno:unor4wifi", type: "unor4wifi", name: "Arduino UNO R4 WiFi", ways: "wifi" },
  "2341:804e": { fqbn: "arduino:samd:mkr1000", type: "mkr1000", name: "Arduino MKR1000", ways: "wifi" },
  "2341:8052": { fqbn: "arduino:samd:mkrgsm1400", type: "mkrgsm1400", name: "Arduino MKR GSM 1400", ways: "gsm" },
  "2341:8055": { fqbn: "arduino:samd:mkrnb1500", type: "mkrnb1500", name: "Arduino MKR NB 1500", ways: "nb" },
  "2341:0068": { fqbn: "arduino:renesas_portenta:portenta_c33", type: "portenta_c33", name: "Arduino Portenta C33", ways: "wifi eth cellular" },
};
