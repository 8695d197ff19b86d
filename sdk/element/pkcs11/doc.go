// Package pkcs11 is a secure element behind PKCS #11: a TPM with tpm2-pkcs11, a
// YubiKey, a network HSM, or SoftHSM.
//
// The module is a C library, so that programs which use this package are built with cgo
// and the build tag "pkcs11". Without the tag the package is empty.
package pkcs11
