#include <ArduinoIoTCloud.h>
#include <Arduino_ConnectionHandler.h>
#include "arduino_secrets.h"

// The host name of your Ardesia server, as its boards know it.
#define SERVER_HOST "ardesia.local"

// Boards without a secure element name their device here; its key is in arduino_secrets.h.
const char DEVICE_LOGIN_NAME[] = "";

void onDryBelowChange();
void onAutomaticChange();
void onWaterNowChange();

CloudPercentage moisture;
int dryBelow;
bool automatic;
bool waterNow;
bool pumping;

void initProperties() {
#if defined(BOARD_HAS_SECRET_KEY)
  ArduinoCloud.setBoardId(DEVICE_LOGIN_NAME);
  ArduinoCloud.setSecretDeviceKey(SECRET_DEVICE_KEY);
#endif
  ArduinoCloud.addProperty(moisture, READ, 60 * SECONDS, NULL);
  ArduinoCloud.addProperty(dryBelow, READWRITE, ON_CHANGE, onDryBelowChange);
  ArduinoCloud.addProperty(automatic, READWRITE, ON_CHANGE, onAutomaticChange);
  ArduinoCloud.addProperty(waterNow, READWRITE, ON_CHANGE, onWaterNowChange);
  ArduinoCloud.addProperty(pumping, READ, ON_CHANGE, NULL);
}

WiFiConnectionHandler ArduinoIoTPreferredConnection(SECRET_SSID, SECRET_OPTIONAL_PASS);
