// Stand-in: a board that is switched on, and looks into its loop once.
#include <ArduinoIoTCloud.h>

HardwareSerial Serial;
ArduinoIoTCloudTCP ArduinoCloud;

void delay(unsigned long) {}
unsigned long millis() { return 0; }
void setDebugMessageLevel(int const) {}

int main() {
  setup();
  loop();
  return 0;
}
