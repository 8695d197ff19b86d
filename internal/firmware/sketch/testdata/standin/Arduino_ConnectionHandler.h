// Stand-in: ways to the network. A board has only some.
#pragma once

#include <Arduino.h>

class ConnectionHandler {};

#if defined(ARDUINO_SAMD_MKRGSM1400)
class GSMConnectionHandler : public ConnectionHandler {
public:
  GSMConnectionHandler(const char *, const char *, const char *, const char *, bool const = true) {}
};
#elif defined(ARDUINO_SAMD_MKRNB1500)
class NBConnectionHandler : public ConnectionHandler {
public:
  NBConnectionHandler(const char *, const char *, const char *, const char *, bool const = true) {}
};
#else
class WiFiConnectionHandler : public ConnectionHandler {
public:
  WiFiConnectionHandler(const char *, const char *, bool const = true) {}
};
#endif

#if defined(ARDUINO_PORTENTA_H7_M7) || defined(ARDUINO_OPTA) || defined(ARDUINO_PORTENTA_C33)
class EthernetConnectionHandler : public ConnectionHandler {
public:
  EthernetConnectionHandler(unsigned long const = 15000, unsigned long const = 4000, bool const = true) {}
  EthernetConnectionHandler(const char *, const char *, const char *, const char *, unsigned long const = 15000, unsigned long const = 4000, bool const = true) {}
};
class CellularConnectionHandler : public ConnectionHandler {
public:
  CellularConnectionHandler(const char *, const char *, const char *, const char *, bool const = true) {}
};
#endif

#if defined(ARDUINO_PORTENTA_H7_M7) || defined(ARDUINO_OPTA)
enum RadioAccessTechnologyType { CATM1 = 7 };
class CatM1ConnectionHandler : public ConnectionHandler {
public:
  CatM1ConnectionHandler(const char *, const char *, const char *, const char *, RadioAccessTechnologyType = CATM1, uint32_t = 0, bool const = true) {}
};
#endif

#if defined(ARDUINO_PORTENTA_H7_M7)
class GSMConnectionHandler : public ConnectionHandler {
public:
  GSMConnectionHandler(const char *, const char *, const char *, const char *, bool const = true) {}
};
class NBConnectionHandler : public ConnectionHandler {
public:
  NBConnectionHandler(const char *, const char *, const char *, const char *, bool const = true) {}
};
#endif
