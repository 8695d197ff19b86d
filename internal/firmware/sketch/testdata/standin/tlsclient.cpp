// Stand-in: how versions of the library hand their authorities to the TLS client of the ESP32 core. It prints what the client
// trusts after each.
#include <Arduino.h>

#include "tls/AIoTCUPCert.h"

class NetworkClientSecure {
public:
  void setCACert(const char *pem) { pem_ = pem; }
  void setCACertBundle(const uint8_t *bundle) { bundle_ = bundle; }
  void setCACertBundle(const uint8_t *bundle, size_t) { bundle_ = bundle; }
  void print() const { printf("%s|%s", bundle_ ? "bundle" : "no bundle", pem_ ? pem_ : "nothing\n"); }

private:
  const char *pem_ = nullptr;
  const uint8_t *bundle_ = nullptr;
};

class OldClient : public NetworkClientSecure {
public:
  void begin() { setCACertBundle(x509_crt_bundle); }
};

class NewClient : public NetworkClientSecure {
public:
  void begin() { setCACertBundle(x509_crt_bundle, sizeof(x509_crt_bundle)); }
};

class TextClient : public NetworkClientSecure {
public:
  void begin() { setCACert(AIoTUPCert); }
};

int main() {
  OldClient a;
  NewClient b;
  TextClient c;
  a.begin();
  b.begin();
  c.begin();
  a.print();
  b.print();
  c.print();
  return 0;
}
