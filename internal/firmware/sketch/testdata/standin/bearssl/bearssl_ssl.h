// Stand-in: what BearSSL knows of an authority (bearssl_x509.h).
#pragma once

#include <stddef.h>

#define BR_X509_TA_CA 0x0001
#define BR_KEYTYPE_RSA 1
#define BR_KEYTYPE_EC 2
#define BR_EC_secp256r1 23

typedef struct { unsigned char *data; size_t len; } br_x500_name;
typedef struct { unsigned char *n; size_t nlen; unsigned char *e; size_t elen; } br_rsa_public_key;
typedef struct { int curve; unsigned char *q; size_t qlen; } br_ec_public_key;
typedef struct {
  unsigned char key_type;
  union { br_rsa_public_key rsa; br_ec_public_key ec; } key;
} br_x509_pkey;
typedef struct { br_x500_name dn; unsigned flags; br_x509_pkey pkey; } br_x509_trust_anchor;
