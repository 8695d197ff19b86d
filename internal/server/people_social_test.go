package server

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/people/social"
	"github.com/ardesia-iot/ardesia/internal/people/social/socialtest"
)

func TestProvidersThatCannotBeUsed(t *testing.T) {
	google := Social{Kind: "google", SecretFile: "s", Config: social.Config{ClientID: "c"}}
	apple := Social{Kind: "apple", KeyFile: "k", Config: social.Config{ClientID: "c", TeamID: "TEAM123456", KeyID: "KEY1234567"}}
	change := func(p Social, fn func(*Social)) Social { fn(&p); return p }
	for name, c := range map[string]struct {
		all  []Social
		says string // "" when they can be used
	}{
		"none":                    {nil, ""},
		"two":                     {[]Social{google, apple}, ""},
		"one twice":               {[]Social{google, google}, "table 2 (google): id: another table has it"},
		"one under another id":    {[]Social{google, change(google, func(p *Social) { p.ID = "work" })}, ""},
		"no kind":                 {[]Social{change(google, func(p *Social) { p.Kind = "" })}, "google, github, apple, oidc"},
		"no secret":               {[]Social{change(google, func(p *Social) { p.SecretFile = "" })}, "client_secret_file"},
		"Google with Apple's key": {[]Social{change(google, func(p *Social) { p.KeyFile = "k" })}, "only apple has a key_file"},
		"Apple without its key":   {[]Social{change(apple, func(p *Social) { p.KeyFile = "" })}, ".p8"},
		"Apple with a secret":     {[]Social{change(apple, func(p *Social) { p.SecretFile = "s" })}, "no client_secret_file"},
		"far too many":            {make([]Social, 11), "at most 10"},
	} {
		cfg := config(t)
		cfg.Social = c.all
		got, err := cfg.Filled()
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %q", name, err, c.says)
		}
		if _, again := got.Filled(); err == nil && again != nil {
			t.Errorf("%s: filled twice: %v", name, again)
		}
	}
}

// Doctor says of each provider whether people can sign in with it, and what keeps the next start from it.
func TestDoctorAsksProviders(t *testing.T) {
	i := socialtest.Start(t, time.Now)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	write := func(name, text string, mode os.FileMode) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	secret := write("secret", "s\n", 0o600)
	one := func(kind, issuer, file string) Social {
		p := Social{Kind: kind, SecretFile: file, Config: social.Config{Name: "School", Issuer: issuer, ClientID: "c", AllowPrivate: true}}
		if kind == "apple" {
			p.KeyFile, p.SecretFile, p.TeamID, p.KeyID = file, "", "TEAM123456", "KEY1234567"
		}
		return p
	}
	for name, c := range map[string]struct {
		p     Social
		grade Grade
		says  string
	}{
		"one that answers":              {one("oidc", i.URL, secret), Good, "School answers"},
		"GitHub of one's own":           {one("github", i.URL, secret), Good, "School answers"},
		"Apple":                         {one("apple", i.URL, write("key.p8", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})), 0o600)), Good, "School answers"},
		"another issuer":                {one("oidc", i.URL+"/", secret), Warn, "Nobody can sign in with School"},
		"one that does not answer":      {one("oidc", "http://127.0.0.1:1", secret), Warn, "Nobody can sign in with School"},
		"one at a private address":      {Social{Kind: "oidc", SecretFile: secret, Config: social.Config{Name: "School", Issuer: "https://127.0.0.1", ClientID: "c"}}, Warn, "prohibited"},
		"a secret that is not there":    {one("oidc", i.URL, filepath.Join(dir, "nothing")), Bad, "client_secret_file"},
		"a secret that everybody reads": {one("oidc", i.URL, write("open", "s", 0o604)), Bad, "chmod o="},
		"a key that is none":            {one("apple", i.URL, secret), Bad, ".p8"},
	} {
		cfg := config(t)
		cfg.Social = []Social{c.p}
		cfg, err := cfg.Filled()
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		all := examineSocial(t.Context(), cfg, time.Now)
		last := all[len(all)-1]
		if last.Grade != c.grade || !strings.Contains(last.Text, c.says) || (last.Cure == "") != (c.grade == Good) {
			t.Errorf("%s: %+v", name, last)
		}
		if warned := len(all) == 2 && strings.Contains(all[0].Text, "not public"); warned != c.p.AllowPrivate {
			t.Errorf("%s: %+v", name, all)
		}
	}
}
