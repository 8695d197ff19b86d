// Keeps a room at a temperature. Needs the libraries ArduinoIoTCloud and "DHT sensor library".
#include "thingProperties.h"
#include <DHT.h>

const int SENSOR_PIN = 2;
const int RELAY_PIN = 4;
const float HYSTERESIS = 0.3;                 // degrees: the relay does not switch for less
const unsigned long READ_EVERY = 5000;        // ms: a DHT22 measures every two seconds at most
const unsigned long TRUST_FOR = 5UL * 60000;  // ms: without a reading for so long the heating goes off

DHT sensor(SENSOR_PIN, DHT22);
unsigned long readAt = 0;
unsigned long goodAt = 0;

void setup() {
  pinMode(RELAY_PIN, OUTPUT);
  digitalWrite(RELAY_PIN, LOW);
  sensor.begin();
  target = 20;
  initProperties();
  ArduinoCloud.begin(ArduinoIoTPreferredConnection, true, SERVER_HOST);
}

void loop() {
  ArduinoCloud.update();
  unsigned long now = millis();
  if (now - readAt < READ_EVERY) {
    return;
  }
  readAt = now;
  float t = sensor.readTemperature();
  float h = sensor.readHumidity();
  if (!isnan(t) && !isnan(h)) {
    temperature = t;
    humidity = h;
    goodAt = now;
  }
  control(now);
}

void control(unsigned long now) {
  if (!enabled || goodAt == 0 || now - goodAt > TRUST_FOR) {
    heating = false;
  } else if ((float)temperature < target - HYSTERESIS) {
    heating = true;
  } else if ((float)temperature > target + HYSTERESIS) {
    heating = false;
  }
  digitalWrite(RELAY_PIN, heating ? HIGH : LOW);
}

void onTargetChange() {
  target = constrain(target, 5, 30);
  control(millis());
}

void onEnabledChange() {
  control(millis());
}
