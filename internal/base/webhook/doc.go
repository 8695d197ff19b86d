// Package webhook tells programs of others what happened: one signed POST, and what its answer means. Who it is told for, what it
// says and when it is tried again is the caller's; where it may go is base/outbound's.
//
// Messages are those of Standard Webhooks 1.0.0 (https://www.standardwebhooks.com): Webhook-Id is the same at each try and
// is also the Idempotency-Key, Webhook-Timestamp is the time of the try, and Webhook-Signature is an HMAC-SHA256 over
// both and the body, one for each secret that is in force.
package webhook
