package account

import (
	"context"
	"crypto/rand"
	"crypto/subtle"
	"encoding/base64"
	"fmt"
	"runtime"
	"strings"

	"golang.org/x/crypto/argon2"
)

// OWASP's minimum for Argon2id (Password Storage Cheat Sheet): 19 MiB, two passes,
// one lane; about 41 ms of one core.
const (
	argonMemory = 19 << 10 // KiB
	argonTime   = 2
	argonLanes  = 1
	argonSalt   = 16 // bytes
	argonKey    = 32 // bytes
)

// waiting is how many checks may wait for a core; above it ErrBusy.
const waiting = 200

// gate lets as many hashes run as there are cores, so that a flood of sign-ins
// cannot take more memory than cores × 19 MiB.
type gate struct {
	queue chan struct{} // those who run or wait
	run   chan struct{} // those who run
}

func newGate() *gate {
	cores := runtime.GOMAXPROCS(0)
	return &gate{make(chan struct{}, waiting+cores), make(chan struct{}, cores)}
}

func (g *gate) do(ctx context.Context, fn func()) error {
	select {
	case g.queue <- struct{}{}:
		defer func() { <-g.queue }()
	default:
		return ErrBusy
	}
	select {
	case g.run <- struct{}{}:
		defer func() { <-g.run }()
	case <-ctx.Done():
		return ctx.Err()
	}
	fn()
	return nil
}

// hash is a PHC string (github.com/P-H-C/phc-string-format).
func hash(password string) string {
	salt := make([]byte, argonSalt)
	_, _ = rand.Read(salt) // never fails (crypto/rand)
	key := argon2.IDKey([]byte(password), salt, argonTime, argonMemory, argonLanes, argonKey)
	enc := base64.RawStdEncoding
	return fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version, argonMemory, argonTime, argonLanes, enc.EncodeToString(salt), enc.EncodeToString(key))
}

// matches says whether password is that of a PHC string, and whether the string
// was made with other parameters than we would take now.
func matches(phc, password string) (good, old bool, err error) {
	parts := strings.Split(phc, "$")
	if len(parts) != 6 || parts[1] != "argon2id" {
		return false, false, fmt.Errorf("stored password is not an Argon2id string")
	}
	var version, memory, time, lanes int
	if _, err := fmt.Sscanf(parts[2]+" "+parts[3], "v=%d m=%d,t=%d,p=%d", &version, &memory, &time, &lanes); err != nil || version != argon2.Version {
		return false, false, fmt.Errorf("stored password has unknown parameters")
	}
	// What is stored is ours; the bounds keep a damaged row from taking the machine.
	if memory < 8 || memory > 1<<20 || time < 1 || time > 16 || lanes < 1 || lanes > 16 {
		return false, false, fmt.Errorf("stored password has parameters beyond reason")
	}
	salt, err := base64.RawStdEncoding.DecodeString(parts[4])
	if err != nil {
		return false, false, fmt.Errorf("stored password: %w", err)
	}
	want, err := base64.RawStdEncoding.DecodeString(parts[5])
	if err != nil || len(want) < 16 {
		return false, false, fmt.Errorf("stored password has no key")
	}
	got := argon2.IDKey([]byte(password), salt, uint32(time), uint32(memory), uint8(lanes), uint32(len(want)))
	old = memory != argonMemory || time != argonTime || lanes != argonLanes
	return subtle.ConstantTimeCompare(got, want) == 1, old, nil
}
