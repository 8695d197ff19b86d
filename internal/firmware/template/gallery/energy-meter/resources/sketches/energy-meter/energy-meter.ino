// Counts the pulses of an electricity meter. Needs the library ArduinoIoTCloud.
#include "thingProperties.h"

const int PULSE_PIN = 2;                      // S0+ here, S0- to GND
const float PULSES_PER_KWH = 1000;            // as it says on the meter
const unsigned long SHORTEST = 30;            // ms: an S0 pulse lasts 30 ms at least; less is noise
const unsigned long SILENT = 5UL * 60000;     // ms without a pulse: there is no load to speak of

volatile unsigned long pulses = 0;
volatile unsigned long lastAt = 0;            // ms
volatile unsigned long between = 0;           // ms from the pulse before to the last one

unsigned long counted = 0;
double total = 0;                             // kWh

void onPulse() {
  unsigned long now = millis();
  if (now - lastAt < SHORTEST) {
    return;
  }
  between = now - lastAt;
  lastAt = now;
  pulses++;
}

void setup() {
  pinMode(PULSE_PIN, INPUT_PULLUP);
  attachInterrupt(digitalPinToInterrupt(PULSE_PIN), onPulse, FALLING);
  initProperties();
  ArduinoCloud.begin(ArduinoIoTPreferredConnection, true, SERVER_HOST);
}

void loop() {
  ArduinoCloud.update();
  noInterrupts();
  unsigned long n = pulses, at = lastAt, gap = between;
  interrupts();
  total += (n - counted) / PULSES_PER_KWH;
  counted = n;
  energy = total;
  // The pause since the last pulse bounds the power from above, so it falls when the load does.
  unsigned long pause = millis() - at;
  if (n < 2 || pause > SILENT) {
    power = 0;
  } else {
    power = 3600000000.0 / PULSES_PER_KWH / max(gap, pause);
  }
}

void onMeterReadingChange() {
  total = meterReading;
}
