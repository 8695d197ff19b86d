// Stand-in: a board that prints the authorities it was built with, in hex.
#include <stdio.h>

#include "BearSSLTrustAnchors.h"

static void hex(const unsigned char *p, size_t n) {
  for (size_t i = 0; i < n; i++) printf("%02x", p[i]);
}

int main() {
  for (int i = 0; i < ArduinoIoTCloudTrustAnchor_NUM; i++) {
    const br_x509_trust_anchor &a = ArduinoIoTCloudTrustAnchor[i];
    printf("%u %u %d ", a.flags, a.pkey.key_type, a.pkey.key.ec.curve);
    hex(a.dn.data, a.dn.len);
    printf(" ");
    hex(a.pkey.key.ec.q, a.pkey.key.ec.qlen);
    printf("\n");
  }
  return 0;
}
