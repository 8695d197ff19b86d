// Stand-in: what every sketch gets without asking.
#pragma once

// Cores bring these, and with them a great many global names.
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>
#include <string>

#define HIGH 0x1
#define LOW 0x0
#define INPUT 0x0
#define OUTPUT 0x1
#define PI 3.1415926535897932384626433832795
#define LED_BUILTIN 13
#define A0 14
#define B1 1
#define F(text) (text)
#define min(a, b) ((a) < (b) ? (a) : (b))
#define max(a, b) ((a) > (b) ? (a) : (b))
#define bit(b) (1UL << (b))
typedef uint8_t byte;
typedef bool boolean;

class String {
public:
  String(const char *text = "") : text_(text) {}
  const char *c_str() const { return text_.c_str(); }
  unsigned int length() const { return text_.size(); }

private:
  std::string text_;
};

class HardwareSerial {
public:
  void begin(unsigned long) {}
};
extern HardwareSerial Serial;

void delay(unsigned long milliseconds);
unsigned long millis();
long map(long value, long fromLow, long fromHigh, long toLow, long toHigh);
void setup();
void loop();
