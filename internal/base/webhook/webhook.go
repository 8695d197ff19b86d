package webhook

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/ardesia-iot/ardesia/internal/base/outbound"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
)

const (
	// secretPrefix begins a signing secret; Standard Webhooks 1.0.0, "Secrets".
	secretPrefix = "whsec_"
	secretBytes  = 32

	// MaxURL is how many bytes an address may have.
	MaxURL = 2048

	callTime  = 15 * time.Second // for one try
	maxAnswer = 64 << 10         // bytes that are read of an answer, so that the connection can be used again
	userAgent = "Ardesia/1"
)

// NewSecret is a key for signatures: "whsec_" and base64 of 32 random bytes.
func NewSecret() string {
	return secretPrefix + base64.StdEncoding.EncodeToString(secret.Random(secretBytes))
}

// CheckURL says whether a webhook may have an address: http or https, without a user or a fragment.
func CheckURL(address string) bool {
	u, err := url.Parse(address)
	return err == nil && len(address) <= MaxURL && utf8.ValidString(address) && u.Host != "" && u.User == nil && u.Fragment == "" &&
		(u.Scheme == "http" || u.Scheme == "https")
}

// Sign is the signature of a message: HMAC-SHA256 over its id, its time in seconds since 1970 and its body
// (Standard Webhooks 1.0.0, "Signature scheme"). "" when the secret is none.
func Sign(secret, id string, at time.Time, body []byte) string {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, secretPrefix))
	if err != nil || len(key) == 0 {
		return ""
	}
	mac := hmac.New(sha256.New, key)
	mac.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
	mac.Write(body)
	return "v1," + base64.StdEncoding.EncodeToString(mac.Sum(nil))
}

// A Message is what is told.
type Message struct {
	ID      string   // the same at each try
	Secrets []string // that sign it, the newest first
	Body    []byte   // JSON
}

// head is what a message says beside its body.
func (m Message) head(at time.Time) http.Header {
	var signatures []string
	for _, s := range m.Secrets {
		if one := Sign(s, m.ID, at, m.Body); one != "" {
			signatures = append(signatures, one)
		}
	}
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set("Idempotency-Key", m.ID)
	h.Set("Webhook-Id", m.ID)
	h.Set("Webhook-Timestamp", strconv.FormatInt(at.Unix(), 10))
	h.Set("Webhook-Signature", strings.Join(signatures, " "))
	return h
}

// A Result is what came of a try.
type Result uint8

// The results.
const (
	Taken   Result = iota // the receiver has it
	Later                 // it may be taken another time
	Unasked               // the receiver wants no more, ever
	Banned                // the address is none that may be called

	results // how many there are
)

// String is the result in a word.
func (r Result) String() string {
	if r < results {
		return [results]string{"taken", "later", "unasked", "banned"}[r]
	}
	return "unknown"
}

// An Answer is what came of a try: Status is the HTTP status, 0 for none. Err says why for all but Taken.
type Answer struct {
	Result Result
	Status int
	Err    error
}

// Call tells a receiver, once. web is for addresses that users chose: see base/outbound.
func Call(ctx context.Context, web *http.Client, address string, m Message, at time.Time) Answer {
	status, err := Post(ctx, web, address, m.head(at), m.Body)
	switch {
	case outbound.Forbidden(err):
		return Answer{Banned, 0, err}
	case err != nil:
		return Answer{Later, 0, err}
	case status >= 200 && status < 300:
		return Answer{Taken, status, nil}
	case status == http.StatusGone:
		return Answer{Unasked, status, fmt.Errorf("HTTP status %d", status)}
	}
	return Answer{Later, status, fmt.Errorf("HTTP status %d", status)}
}

// Post sends a body and says with which HTTP status it was answered.
func Post(ctx context.Context, web *http.Client, address string, head http.Header, body []byte) (int, error) {
	ctx, stop := context.WithTimeout(ctx, callTime)
	defer stop()
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return 0, err
	}
	q.Header = head
	q.Header.Set("User-Agent", userAgent)
	answer, err := web.Do(q)
	var at *url.Error
	if errors.As(err, &at) {
		err = at.Err // without the address, which may have a secret in it
	}
	if err != nil {
		return 0, err
	}
	defer answer.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(answer.Body, maxAnswer)) // the status is what counts
	return answer.StatusCode, nil
}

// Pause is how long after a number of tries there is another one: first, doubled each time, at most most, and up to a
// fifth more, so that not all come at once.
func Pause(first, most time.Duration, tries int64) time.Duration {
	pause := most
	if n := tries - 1; n >= 0 && n < 20 {
		pause = min(most, first<<n)
	}
	return pause + rand.N(pause/5+1)
}
