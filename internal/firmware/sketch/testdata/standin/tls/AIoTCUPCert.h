// Stand-in: the authorities that come with the library, for boards with a secret key.
#ifndef _AIOTC_UP_CERT_H_
#define _AIOTC_UP_CERT_H_

static const unsigned char x509_crt_bundle[] = { 0x00, 0x01, 0x02 };
static const char AIoTUPCert[] = "-----BEGIN CERTIFICATE-----\nsomebody else's\n-----END CERTIFICATE-----\n";

#endif
