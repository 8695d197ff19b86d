package apikey

import (
	"errors"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/people/access"
)

func TestAKeyEndsByItself(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		ctx, user := t.Context(), access.Actor{Kind: access.User, ID: "anna", Space: "anna-private"}
		for name, at := range map[string]time.Time{"now": noon, "before": noon.Add(-time.Second), "after ten years": noon.Add(maxLife + time.Second)} {
			if _, _, err := h.Make(ctx, user, Wish{Account: "anna", Name: "x", ExpiresAt: at}); !errors.Is(err, ErrEnds) {
				t.Errorf("%s: %v, want %v", name, err, ErrEnds)
			}
		}
		made, revoked := h.Made.Subscribe(8), h.Revoked.Subscribe(8)
		defer made.Close()
		defer revoked.Close()
		k, secret, err := h.Make(ctx, user, Wish{Account: "anna", Name: "x", ExpiresAt: noon.Add(time.Hour)})
		if err != nil || !k.ExpiresAt.Equal(noon.Add(time.Hour)) {
			t.Fatalf("Make = %+v, %v", k, err)
		}
		if got := <-made.C(); got != k {
			t.Errorf("told of %+v", got)
		}
		ever, _ := h.made(t, "anna", "", "for ever")
		select {
		case got := <-made.C():
			t.Errorf("told of the operator's %+v", got)
		default:
		}
		h.now = noon.Add(time.Hour - time.Microsecond)
		if _, err := h.Check(ctx, k.ID, secret.Reveal()); err != nil || k.Expired(h.now) || h.Alive(ctx, k.ID, k.Version) != nil {
			t.Errorf("just before: %v", err)
		}
		if err := h.Sweep(ctx); err != nil {
			t.Fatal(err)
		}
		h.now = noon.Add(time.Hour)
		if _, err := h.Check(ctx, k.ID, secret.Reveal()); !errors.Is(err, ErrCredentials) || !k.Expired(h.now) {
			t.Errorf("at its end: %v", err)
		}
		if err := h.Alive(ctx, k.ID, k.Version); !errors.Is(err, ErrCredentials) {
			t.Errorf("a token of it at its end: %v", err)
		}
		if err := errors.Join(h.Sweep(ctx), h.Sweep(ctx)); err != nil {
			t.Fatal(err)
		}
		if got := <-revoked.C(); got != k.ID {
			t.Errorf("told of the end of %s", got)
		}
		if got, err := h.Get(ctx, "anna", k.ID); err != nil || !got.Revoked() || !got.ExpiresAt.Equal(k.ExpiresAt) {
			t.Errorf("after it: %+v, %v", got, err)
		}
		if got, err := h.Get(ctx, "anna", ever.ID); err != nil || !got.Enabled || got.Expired(h.now.Add(maxLife)) {
			t.Errorf("the one without an end: %+v, %v", got, err)
		}
	})
}
