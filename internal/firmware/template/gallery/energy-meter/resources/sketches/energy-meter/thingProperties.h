#include <ArduinoIoTCloud.h>
#include <Arduino_ConnectionHandler.h>
#include "arduino_secrets.h"

// The host name of your Ardesia server, as its boards know it.
#define SERVER_HOST "ardesia.local"

// Boards without a secure element name their device here; its key is in arduino_secrets.h.
const char DEVICE_LOGIN_NAME[] = "";

void onMeterReadingChange();

CloudPower power;
float energy;
float meterReading;

void initProperties() {
#if defined(BOARD_HAS_SECRET_KEY)
  ArduinoCloud.setBoardId(DEVICE_LOGIN_NAME);
  ArduinoCloud.setSecretDeviceKey(SECRET_DEVICE_KEY);
#endif
  ArduinoCloud.addProperty(power, READ, 10 * SECONDS, NULL);
  ArduinoCloud.addProperty(energy, READ, 60 * SECONDS, NULL);
  ArduinoCloud.addProperty(meterReading, READWRITE, ON_CHANGE, onMeterReadingChange);
}

WiFiConnectionHandler ArduinoIoTPreferredConnection(SECRET_SSID, SECRET_OPTIONAL_PASS);
