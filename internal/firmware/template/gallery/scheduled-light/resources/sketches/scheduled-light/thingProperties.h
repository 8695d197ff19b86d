#include <ArduinoIoTCloud.h>
#include <Arduino_ConnectionHandler.h>
#include "arduino_secrets.h"

// The host name of your Ardesia server, as its boards know it.
#define SERVER_HOST "ardesia.local"

// Boards without a secure element name their device here; its key is in arduino_secrets.h.
const char DEVICE_LOGIN_NAME[] = "";

void onScheduleChange();
void onByScheduleChange();
void onByHandChange();

CloudSchedule schedule;
bool bySchedule;
bool byHand;
bool light;

void initProperties() {
#if defined(BOARD_HAS_SECRET_KEY)
  ArduinoCloud.setBoardId(DEVICE_LOGIN_NAME);
  ArduinoCloud.setSecretDeviceKey(SECRET_DEVICE_KEY);
#endif
  ArduinoCloud.addProperty(schedule, READWRITE, ON_CHANGE, onScheduleChange);
  ArduinoCloud.addProperty(bySchedule, READWRITE, ON_CHANGE, onByScheduleChange);
  ArduinoCloud.addProperty(byHand, READWRITE, ON_CHANGE, onByHandChange);
  ArduinoCloud.addProperty(light, READ, ON_CHANGE, NULL);
}

WiFiConnectionHandler ArduinoIoTPreferredConnection(SECRET_SSID, SECRET_OPTIONAL_PASS);
