// Measures the weather. Needs the libraries ArduinoIoTCloud and "Adafruit BME280 Library".
#include "thingProperties.h"
#include <Wire.h>
#include <Adafruit_BME280.h>

const unsigned long READ_EVERY = 10000;  // ms

Adafruit_BME280 sensor;
bool found = false;
unsigned long readAt = 0;

void setup() {
  Serial.begin(115200);
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
  if (!found) {
    found = sensor.begin(0x76) || sensor.begin(0x77);  // the two addresses that the sensor can have
    if (!found) {
      Serial.println("no BME280 on the bus");
      return;
    }
  }
  float t = sensor.readTemperature();
  float h = sensor.readHumidity();
  float p = sensor.readPressure() / 100.0F;  // hPa
  if (isnan(t) || isnan(h) || isnan(p)) {
    found = false;  // it was unplugged
    return;
  }
  temperature = t;
  humidity = h;
  pressure = sensor.seaLevelForAltitude(altitude, p);
}

void onAltitudeChange() {
  readAt = millis() - READ_EVERY;  // measure at once
}
