package server

import (
	"crypto/sha1"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

const places = "network,country,latitude,longitude\n203.0.113.0/24,IT,45.07,7.69\n"

// A file that cannot be used stops the start with its name, and doctor finds it before.
func TestGuardFilesThatCannotBeUsed(t *testing.T) {
	for name, spoil := range map[string]func(cfg *Config, file string){
		"a table of addresses":  func(cfg *Config, file string) { cfg.Geo = file },
		"a table of owners":     func(cfg *Config, file string) { cfg.ASN = file },
		"a list of passwords":   func(cfg *Config, file string) { cfg.Breached = file },
		"a table that is there": nil,
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config(t)
			start(t, cfg).stop()
			file := filepath.Join(t.TempDir(), "file")
			if spoil == nil {
				write(t, places, file)
				cfg.Geo = file
				seen := fmt.Sprint(Examine(t.Context(), cfg, time.Now))
				if !strings.Contains(seen, "Impossible travel is looked for, by "+file) {
					t.Errorf("doctor says %s", seen)
				}
				start(t, cfg)
				return
			}
			write(t, "neither\n", file)
			spoil(&cfg, file)
			if _, err := New(t.Context(), cfg, World{Log: slog.New(slog.DiscardHandler), Now: time.Now}); err == nil || !strings.Contains(err.Error(), file) {
				t.Errorf("the start says %v", err)
			}
			bad := worst(Examine(t.Context(), cfg, time.Now))
			if len(bad) != 2 || bad[1].Grade != Bad || !strings.Contains(bad[1].Text, file) {
				t.Errorf("doctor says %+v", bad)
			}
		})
	}
}

func TestDoctorTellsOfGuessing(t *testing.T) {
	h := start(t, config(t))
	seen := fmt.Sprint(Examine(t.Context(), h.cfg, time.Now))
	for _, part := range []string{"Guessing is watched; 0 subjects", "Impossible travel is not looked for: there is no table of addresses (--geo FILE)", "networks of one owner is not looked for"} {
		if !strings.Contains(seen, part) {
			t.Errorf("doctor does not say %q: %s", part, seen)
		}
	}
}

// The list that comes with the program and the operator's keep passwords from being taken.
func TestStolenPasswordsAreRefused(t *testing.T) {
	const stolen, good = "seven purple kettles sing", "eleven yellow spoons dance"
	cfg := config(t)
	cfg.Breached = filepath.Join(t.TempDir(), "list")
	write(t, fmt.Sprintf("%X:3\n", sha1.Sum([]byte(stolen))), cfg.Breached)
	h := start(t, cfg)
	add := func(password string) error {
		in, err := json.Marshal(wireAccount{Email: "anna@example.org", Name: "Anna", Password: password})
		if err != nil {
			t.Fatal(err)
		}
		_, err = h.Admin(t.Context(), "user.add", in)
		return err
	}
	for name, password := range map[string]string{"the operator's list": stolen, "the program's": "1qaz2wsx3edc4rfv"} {
		if err := add(password); err == nil || !strings.Contains(err.Error(), "stolen elsewhere") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := add(good); err != nil {
		t.Errorf("another password: %v", err)
	}
}

// A proxy that nobody named is named in the log, once.
func TestUnknownProxyIsNamed(t *testing.T) {
	for name, c := range map[string]struct {
		trusted []string
		from    string
		header  string
		want    int
	}{
		"a proxy of the house":     {nil, "10.0.0.5:4711", "203.0.113.7", 1},
		"the same, trusted":        {[]string{"10.0.0.5"}, "10.0.0.5:4711", "203.0.113.7", 0},
		"a stranger's invention":   {nil, "198.51.100.9:4711", "203.0.113.7", 0},
		"a client without a proxy": {nil, "10.0.0.5:4711", "", 0},
	} {
		t.Run(name, func(t *testing.T) {
			log := &book{}
			s := &Server{cfg: Config{TrustedProxies: c.trusted}, log: slog.New(slog.NewTextHandler(log, nil))}
			h, err := s.behindProxies(http.NotFoundHandler())
			if err != nil {
				t.Fatal(err)
			}
			for range 3 {
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.RemoteAddr = c.from
				if c.header != "" {
					r.Header.Set("X-Forwarded-For", c.header)
				}
				h.ServeHTTP(httptest.NewRecorder(), r)
			}
			if got := strings.Count(log.String(), "trusted_proxies"); got != c.want {
				t.Errorf("named %d times, want %d: %s", got, c.want, log)
			}
		})
	}
}

// A start that fails late leaves no file of the guard's open.
func TestAStartThatFailsClosesItsFiles(t *testing.T) {
	cfg := config(t)
	cfg.Geo = filepath.Join(t.TempDir(), "places.csv")
	write(t, places, cfg.Geo)
	start(t, cfg).stop()
	cfg.SMTPAddr, cfg.SMTPCA = "127.0.0.1:25", cfg.Geo // which holds no certificate: found after the guard is there
	cfg.SMTPTLS = "starttls"
	if _, err := New(t.Context(), cfg, World{Log: slog.New(slog.DiscardHandler), Now: time.Now}); err == nil || !strings.Contains(err.Error(), "smtp-ca") {
		t.Fatalf("the start says %v", err)
	}
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip("only Linux tells which files are open: ", err)
	}
	for _, fd := range all {
		if to, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && to == cfg.Geo {
			t.Errorf("%s is still open", to)
		}
	}
}
