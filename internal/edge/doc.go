// Package edge is the outer wall: the certificate that browsers, API clients
// and boards check, the TLS rules of each listener, and the web listener with
// its time limits.
//
// Two authorities exist and are never mixed. The one here signs only this
// server's own name; its certificate is DIR/tls/ca.pem, which clients trust.
// The device authority (fleet/ca) signs boards.
//
// What boards need, and every certificate made here therefore has: a P-256 leaf
// signed directly by a P-256 root with SHA-256, and a dNSName for every name,
// literal IP addresses included, because their TLS compares names as text
// (ArduinoIoTCloud 2.9.3, src/tls/BearSSLClientProfile.c). What they download comes
// in TLS records of at most 4096 bytes, because that is what their buffers hold.
package edge
