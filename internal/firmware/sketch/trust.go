package sketch

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
)

// ErrAuthority is an authority that boards with BearSSL cannot be told of.
var ErrAuthority = problem.New(problem.Conflict, "authority-not-for-boards", "This server's authority has no key on P-256, which is what boards check.")

// overlay is where files lie that take the place of some in the library. Arduino's tools build nothing there.
const overlay = "overlay/ArduinoIoTCloud/src/tls/"

// boardTrust are the files by which the board of a sketch comes to trust this server.
func boardTrust(spec Spec) ([]File, error) {
	ca := spec.Place.CA
	if ca == nil {
		return nil, nil // a public authority: either the board has it, or the README says so
	}
	switch spec.Board.family() {
	case esp32:
		return []File{{Name: "build_opt.h", Text: buildOptions(ca)}}, nil
	case bearSSL:
		text, err := trustAnchors(ca)
		if err != nil {
			return nil, err
		}
		return []File{{Name: overlay + "BearSSLTrustAnchors.h", Text: text}}, nil
	case pemRoot, unoR4:
		return []File{{Name: overlay + "AIoTCSSCert.h", Text: pemHeader(ca)}}, nil
	}
	return nil, nil
}

func pemOf(ca *x509.Certificate) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.Raw}))
}

// buildOptions are the compiler's options of an ESP32 sketch (its core passes the file to every compile as @file; espressif/arduino-esp32,
// platform.txt, build.opt.name). They set the include guard of the library's src/tls/AIoTCUPCert.h, so that it brings no authorities, and
// define what code would find there:
//
//   - AIoTUPCert, authorities in PEM form, is ours.
//   - x509_crt_bundle, the same in ESP-IDF's own form, which differs between its releases, becomes an expression: in a method of
//     the TLS client, where it is named as an argument of setCACertBundle, it calls setCACert with ours, and is no bundle.
//
// There is no space for comments in such a file. Quotes and spaces are escaped by backslashes outside of quotes, which GCC and Clang read alike.
func buildOptions(ca *x509.Certificate) string {
	literal := cString(pemOf(ca))
	return responseArgument("-D_AIOTC_UP_CERT_H_") + "\n" +
		responseArgument("-DAIoTUPCert="+literal) + "\n" +
		responseArgument("-Dx509_crt_bundle=(setCACert("+literal+"),static_cast<const unsigned char*>(nullptr))") + "\n"
}

func responseArgument(text string) string {
	var b strings.Builder
	for _, r := range text {
		if strings.ContainsRune(" \\\"'()<>*", r) {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}

// anchor is what BearSSL needs of an authority: its name in DER form, and its point on P-256, uncompressed.
func anchor(ca *x509.Certificate) (name, point []byte, err error) {
	key, ok := ca.PublicKey.(*ecdsa.PublicKey)
	if !ok || key.Curve != elliptic.P256() {
		return nil, nil, ErrAuthority
	}
	point, err = key.Bytes()
	if err != nil {
		return nil, nil, fmt.Errorf("the authority's key: %w", err)
	}
	return ca.RawSubject, point, nil
}

// trustAnchors takes the place of the library's src/tls/BearSSLTrustAnchors.h, with the same names; a
// br_x509_trust_anchor is that of bearssl_x509.h.
func trustAnchors(ca *x509.Certificate) (string, error) {
	name, point, err := anchor(ca)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, `// %s
// It takes the place of src/tls/BearSSLTrustAnchors.h in the ArduinoIoTCloud library: boards that are built with
// it trust this server's authority, and no other.

#ifndef _BEAR_SSL_TRUST_ANCHOR_H_
#define _BEAR_SSL_TRUST_ANCHOR_H_

#include <AIoTC_Config.h>
#if defined(BOARD_HAS_ECCX08) || defined(BOARD_HAS_SECURE_ELEMENT)

#include "bearssl/bearssl_ssl.h"

static const unsigned char TA0_DN[] = {
%s};

static const unsigned char TA0_EC_Q[] = {
%s};

static const br_x509_trust_anchor ArduinoIoTCloudTrustAnchor[1] = {
  {
    { (unsigned char *)TA0_DN, sizeof TA0_DN },
    BR_X509_TA_CA,
    {
      BR_KEYTYPE_EC,
      { .ec = { BR_EC_secp256r1, (unsigned char *)TA0_EC_Q, sizeof TA0_EC_Q } }
    }
  }
};

#define ArduinoIoTCloudTrustAnchor_NUM (1)

#endif
#endif
`, header, byteList(name), byteList(point))
	return b.String(), nil
}

func byteList(all []byte) string {
	var b strings.Builder
	for i, c := range all {
		if i%12 == 0 {
			b.WriteString("  ")
		}
		fmt.Fprintf(&b, "0x%02X,", c)
		if i%12 == 11 || i == len(all)-1 {
			b.WriteByte('\n')
		} else {
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// pemHeader takes the place of the library's src/tls/AIoTCSSCert.h.
func pemHeader(ca *x509.Certificate) string {
	var b strings.Builder
	fmt.Fprintf(&b, `// %s
// It takes the place of src/tls/AIoTCSSCert.h in the ArduinoIoTCloud library: boards that are built with
// it trust this server's authority, and no other.

#ifndef _AIOTC_SS_CERT_H_
#define _AIOTC_SS_CERT_H_

static const char AIoTSSCert[] =
`, header)
	for line := range strings.Lines(pemOf(ca)) {
		b.WriteString("  " + cString(line) + "\n")
	}
	b.WriteString("  ;\n\n#endif\n")
	return b.String()
}

// base64Lines is DER in lines that are short enough for people.
func base64Lines(der []byte) []string {
	text := base64.StdEncoding.EncodeToString(der)
	var all []string
	for len(text) > 64 {
		all, text = append(all, text[:64]), text[64:]
	}
	return append(all, text)
}
