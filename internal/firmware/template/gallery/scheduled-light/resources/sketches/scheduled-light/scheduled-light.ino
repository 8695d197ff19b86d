// A light that is on by a schedule or by hand. Needs the library ArduinoIoTCloud.
#include "thingProperties.h"

const int LIGHT_PIN = 3;

void setup() {
  pinMode(LIGHT_PIN, OUTPUT);
  digitalWrite(LIGHT_PIN, LOW);
  initProperties();
  ArduinoCloud.begin(ArduinoIoTPreferredConnection, true, SERVER_HOST);
}

void loop() {
  ArduinoCloud.update();
  show();
}

void show() {
  bool on = bySchedule ? schedule.isActive() : byHand;
  if (on != light) {
    light = on;
    digitalWrite(LIGHT_PIN, on ? HIGH : LOW);
  }
}

void onScheduleChange() {
  show();
}

void onByScheduleChange() {
  show();
}

void onByHandChange() {
  bySchedule = false;  // whoever uses the switch means it
  show();
}
