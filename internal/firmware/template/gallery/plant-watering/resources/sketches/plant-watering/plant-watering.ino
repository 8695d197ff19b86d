// Waters a plant. Needs the library ArduinoIoTCloud.
#include "thingProperties.h"

const int SENSOR_PIN = A0;
const int PUMP_PIN = 5;
// What the sensor reads in air and in water: measure yours, and write it here.
const int READS_DRY = 850;
const int READS_WET = 400;
const unsigned long PUMP_FOR = 10000;           // ms
const unsigned long REST_FOR = 10UL * 60000;    // ms: water needs time to get to the sensor
const unsigned long READ_EVERY = 2000;          // ms

unsigned long readAt = 0;
unsigned long pumpAt = 0;
bool pumpedEver = false;

void setup() {
  pinMode(PUMP_PIN, OUTPUT);
  digitalWrite(PUMP_PIN, LOW);
  dryBelow = 30;
  initProperties();
  ArduinoCloud.begin(ArduinoIoTPreferredConnection, true, SERVER_HOST);
}

void loop() {
  ArduinoCloud.update();
  unsigned long now = millis();
  if (pumping && now - pumpAt >= PUMP_FOR) {
    pump(false);
  }
  if (now - readAt < READ_EVERY) {
    return;
  }
  readAt = now;
  int percent = map(analogRead(SENSOR_PIN), READS_DRY, READS_WET, 0, 100);
  moisture = constrain(percent, 0, 100);
  bool rested = !pumpedEver || now - pumpAt >= REST_FOR;
  if (automatic && !pumping && rested && (float)moisture < dryBelow) {
    pump(true);
  }
}

void pump(bool on) {
  pumping = on;
  digitalWrite(PUMP_PIN, on ? HIGH : LOW);
  if (on) {
    pumpAt = millis();
    pumpedEver = true;
  }
}

void onDryBelowChange() {
  dryBelow = constrain(dryBelow, 0, 100);
}

void onAutomaticChange() {
}

void onWaterNowChange() {
  if (waterNow && !pumping) {
    pump(true);
  }
  waterNow = false;
}
