package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// profiled runs a load, with a CPU profile of the server from its administration socket.
func (b *bench) profiled(ctx context.Context, name string, load func() error) error {
	if err := os.MkdirAll(b.profile, 0o755); err != nil {
		return err
	}
	file := filepath.Join(b.profile, name+".pprof")
	done := make(chan error, 1)
	go func() { done <- b.house.fetchProfile(ctx, file, max(1, int((b.warm+b.last).Seconds()))) }()
	if err := errors.Join(load(), <-done); err != nil {
		return fmt.Errorf("profile %s: %w", name, err)
	}
	shares, err := kinds(ctx, file)
	if err != nil {
		return err
	}
	b.report.profile = append(b.report.profile, fmt.Sprintf("| %s | %s |", name, shares))
	return nil
}

func (h *house) fetchProfile(ctx context.Context, file string, seconds int) error {
	web := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", filepath.Join(h.data, "admin.sock"))
	}}}
	defer web.CloseIdleConnections()
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, fmt.Sprintf("http://admin/debug/pprof/profile?seconds=%d", seconds), nil)
	if err != nil {
		return err
	}
	answer, err := web.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, answer.Body)
	return errors.Join(err, f.Close())
}

// kind says what a function at the top of a stack is busy with; the first that fits counts.
var kind = []struct {
	name string
	fits *regexp.Regexp
}{
	{"system calls", regexp.MustCompile(`^(internal/runtime/syscall|syscall\.|runtime\.(futex|epoll|write1|read|nanotime|usleep|madvise)|internal/poll\.)`)},
	{"TLS and other cryptography", regexp.MustCompile(`^(crypto/|vendor/golang\.org/x/crypto|golang\.org/x/crypto|math/big|p256|.*fips140)`)},
	{"memory: allocate, copy, collect", regexp.MustCompile(`^runtime\.(mallocgc|.*[mM]alloc|gc|.*[gG]c[A-Z]|scan|greyobject|findObject|memmove|memclr|growslice|newobject|heap|\(\*m(heap|central|cache|span)|nextFree|bulkBarrier|wb|typePointers|\(\*gcWork|\(\*gcBits|markBits|spanOf|sweep|bgsweep|deductSweep|makeslice|duffcopy|duffzero|tryDefer|memequal)`)},
	{"scheduler, channels, locks", regexp.MustCompile(`^(runtime\.|sync|internal/sync|internal/runtime/atomic)`)},
	{"SQLite and its file", regexp.MustCompile(`(ncruces|wasm|sqlite|database/sql|internal/base/db)`)},
	{"broker", regexp.MustCompile(`(internal/base/mqtt|mochi|internal/server)`)},
	{"history", regexp.MustCompile(`internal/fleet/series`)},
	{"things, devices, messages", regexp.MustCompile(`(internal/fleet|internal/base/(senml|feed)|internal/people)`)},
}

var topLine = regexp.MustCompile(`^\s*[0-9.]+m?s\s+([0-9.]+)%\s+[0-9.]+%\s+[0-9.]+m?s\s+[0-9.]+%\s+(.*)$`)

// kinds sums a profile up.
func kinds(ctx context.Context, file string) (string, error) {
	out, err := exec.CommandContext(ctx, "go", "tool", "pprof", "-top", "-nodecount=100000", "-nodefraction=0", file).Output()
	if err != nil {
		return "", fmt.Errorf("go tool pprof: %w", err)
	}
	share := map[string]float64{}
	for line := range strings.Lines(string(out)) {
		m := topLine.FindStringSubmatch(strings.TrimRight(line, "\n"))
		if m == nil {
			continue
		}
		percent, _ := strconv.ParseFloat(m[1], 64)
		name := "the rest"
		for _, k := range kind {
			if k.fits.MatchString(m[2]) {
				name = k.name
				break
			}
		}
		share[name] += percent
	}
	if len(share) == 0 {
		return "", fmt.Errorf("the profile %s is empty", file)
	}
	var names []string
	for name := range share {
		names = append(names, name)
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(share[b], share[a]) })
	var parts []string
	for _, name := range names {
		parts = append(parts, fmt.Sprintf("%s %.0f", name, share[name]))
	}
	return strings.Join(parts, ", "), nil
}
