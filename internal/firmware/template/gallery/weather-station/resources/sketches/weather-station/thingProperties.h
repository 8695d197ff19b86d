#include <ArduinoIoTCloud.h>
#include <Arduino_ConnectionHandler.h>
#include "arduino_secrets.h"

// The host name of your Ardesia server, as its boards know it.
#define SERVER_HOST "ardesia.local"

// Boards without a secure element name their device here; its key is in arduino_secrets.h.
const char DEVICE_LOGIN_NAME[] = "";

void onAltitudeChange();

CloudTemperatureSensor temperature;
CloudRelativeHumidity humidity;
float pressure;
float altitude;

void initProperties() {
#if defined(BOARD_HAS_SECRET_KEY)
  ArduinoCloud.setBoardId(DEVICE_LOGIN_NAME);
  ArduinoCloud.setSecretDeviceKey(SECRET_DEVICE_KEY);
#endif
  ArduinoCloud.addProperty(temperature, READ, 60 * SECONDS, NULL);
  ArduinoCloud.addProperty(humidity, READ, 60 * SECONDS, NULL);
  ArduinoCloud.addProperty(pressure, READ, 60 * SECONDS, NULL);
  ArduinoCloud.addProperty(altitude, READWRITE, ON_CHANGE, onAltitudeChange);
}

WiFiConnectionHandler ArduinoIoTPreferredConnection(SECRET_SSID, SECRET_OPTIONAL_PASS);
