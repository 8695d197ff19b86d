// Stand-in: which board has what.
#pragma once

#if defined(ARDUINO_ARCH_ESP32) || defined(ARDUINO_ARCH_ESP8266)
  #define BOARD_HAS_SECRET_KEY
#elif defined(ARDUINO_UNOR4_WIFI)
  #define BOARD_HAS_SECRET_KEY
  #define BOARD_HAS_SOFTSE
#elif defined(ARDUINO_NICLA_VISION) || defined(ARDUINO_PORTENTA_C33)
  #define BOARD_HAS_SE050
#elif defined(ARDUINO_SAMD_MKRWIFI1010) || defined(ARDUINO_SAMD_NANO_33_IOT)
  #define BOARD_HAS_OFFLOADED_ECCX08
#else
  #define BOARD_HAS_ECCX08
#endif

#if !defined(ARDUINO_ARCH_ESP32) && !defined(ARDUINO_ARCH_ESP8266)
  #define BOARD_HAS_SECURE_ELEMENT
#endif
