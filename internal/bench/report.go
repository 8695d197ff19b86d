package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A report gathers tables in Markdown.
type report struct {
	head    []string
	ingests []string
	paces   []string
	storms  []string
	growth  []growth
	history []string
	apis    []string
	tokens  []string
	doors   []string
	policy  []string
	profile []string
}

// A growth is one figure at one number of devices.
type growth struct {
	name  string
	n     int
	value string
}

// conditions say what was measured on.
func (r *report) conditions(dir string, o options) {
	kind, device := where(dir)
	var u unix.Utsname
	_ = unix.Uname(&u) // the line is empty then
	first := func(name string, args ...string) string {
		out, _ := exec.Command(name, args...).Output() // the same
		line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
		return line
	}
	cpu, mem := procLine("/proc/cpuinfo", "model name"), procLine("/proc/meminfo", "MemTotal")
	r.head = []string{
		fmt.Sprintf("%s. %d cores (%s), %s of memory, Linux %s.", time.Now().UTC().Format("2 January 2006"), runtime.NumCPU(), cpu, mem, unix.ByteSliceToString(u.Release[:])),
		fmt.Sprintf("Data on %s (%s). %s, Mosquitto %s.", device, kind, runtime.Version(), strings.TrimPrefix(first("mosquitto", "-h"), "mosquitto version ")),
		fmt.Sprintf("Medians of %d rounds of %s after %s of warm-up, both sides in turns; in brackets the lowest and the highest.", o.rounds, o.last, o.warm),
		"Clients and servers share the cores. Both: TLS 1.2, ECDHE-ECDSA-AES128-GCM-SHA256, P-256, QoS 1, passwords (or certificates) and a rule for each topic.",
	}
}

func procLine(file, name string) string {
	text, _ := os.ReadFile(file) // the figure is empty then
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "?"
}

// A span is a median with the lowest and the highest.
type span struct{ low, mid, high float64 }

func spanOf(all []result, get func(result) float64) span {
	v := make([]float64, len(all))
	for i, r := range all {
		v[i] = get(r)
	}
	slices.Sort(v)
	return span{v[0], v[len(v)/2], v[len(v)-1]}
}

func (s span) counts() string {
	return fmt.Sprintf("%s (%s–%s)", count(int(s.mid)), count(int(s.low)), count(int(s.high)))
}

func rateOf(r result) float64   { return r.rate }
func cpuOfOne(r result) float64 { return float64(r.cpu) / 1000 } // µs

// ratio is of medians, with those of the rounds.
func ratio(a, m []result) string {
	low, high := a[0].rate/m[0].rate, a[0].rate/m[0].rate
	for i := range a {
		low, high = min(low, a[i].rate/m[i].rate), max(high, a[i].rate/m[i].rate)
	}
	return fmt.Sprintf("**%.2f** (%.2f–%.2f)", spanOf(a, rateOf).mid/spanOf(m, rateOf).mid, low, high)
}

// noise is how many cores others used, at the median and at most.
func noiseOf(a, m []result) string {
	s := spanOf(append(slices.Clone(a), m...), func(r result) float64 { return r.others })
	return fmt.Sprintf("%.2f (%.2f)", s.mid, s.high)
}

func (r *report) sides(name string, a, m []result) string {
	return fmt.Sprintf("| %s | %s | %s | %s | %.1f | %.1f | %s |", name,
		spanOf(a, rateOf).counts(), spanOf(m, rateOf).counts(), ratio(a, m), spanOf(a, cpuOfOne).mid, spanOf(m, cpuOfOne).mid, noiseOf(a, m))
}

func (r *report) ingest(name string, a, m []result) {
	r.ingests = append(r.ingests, r.sides(name, a, m))
}
func (r *report) connects(n int, a, m []result) { r.storms = append(r.storms, r.sides(count(n), a, m)) }
func (r *report) add(n int, name, format string, value any) {
	r.growth = append(r.growth, growth{name, n, fmt.Sprintf(format, value)})
}

func (r *report) paced(n int, a, m []result) {
	ms := func(all []result, get func(result) time.Duration) string {
		s := spanOf(all, func(r result) float64 { return float64(get(r).Microseconds()) / 1000 })
		return fmt.Sprintf("%.2f (%.2f–%.2f)", s.mid, s.low, s.high)
	}
	p50, p99 := func(r result) time.Duration { return r.p50 }, func(r result) time.Duration { return r.p99 }
	r.paces = append(r.paces, fmt.Sprintf("| %s | %s | %s | %s | %s | %.1f | %.1f | %s |", count(n),
		ms(a, p50), ms(a, p99), ms(m, p50), ms(m, p99), spanOf(a, cpuOfOne).mid, spanOf(m, cpuOfOne).mid, noiseOf(a, m)))
}

// api adds a row of one kind of request, on the embedded database and on PostgreSQL.
func (r *report) api(name string, a, m []result) {
	side := func(all []result) string {
		mid := func(get func(result) float64) float64 { return spanOf(all, get).mid }
		return fmt.Sprintf("%.2f | %.2f | %.2f | %.0f | %.0f", mid(func(r result) float64 { return ms(r.p50) }), mid(func(r result) float64 { return ms(r.p99) }),
			mid(cpuOfOne)/1000, mid(func(r result) float64 { return r.allocs }), mid(func(r result) float64 { return r.bytes / 1000 }))
	}
	r.apis = append(r.apis, fmt.Sprintf("| %s | %s | %s | %s | %s | %s | %s |", name, spanOf(a, rateOf).counts(), spanOf(m, rateOf).counts(), ratio(a, m), side(a), side(m), noiseOf(a, m)))
}

// door adds a row of how people sign in.
func (r *report) door(name string, all []result) {
	mid := func(get func(result) float64) float64 { return spanOf(all, get).mid }
	rate := spanOf(all, rateOf)
	r.doors = append(r.doors, fmt.Sprintf("| %s | %.1f (%.1f–%.1f) | %.1f | %.0f | %.0f | %.0f | %.0f | %s |", name, rate.mid, rate.low, rate.high, mid(cpuOfOne)/1000,
		mid(func(r result) float64 { return ms(r.p50) }), mid(func(r result) float64 { return ms(r.p95) }),
		mid(func(r result) float64 { return r.allocs }), mid(func(r result) float64 { return r.bytes / 1000 }), noiseOf(all, nil)))
}

// count writes a number as people do.
func count(n int) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func (r *report) print() {
	section := func(title, columns string, rows []string) {
		if len(rows) == 0 {
			return
		}
		fmt.Printf("\n### %s\n\n| %s |\n|%s\n%s\n", title, columns, strings.Repeat("---|", strings.Count(columns, "|")+1), strings.Join(rows, "\n"))
	}
	fmt.Println(strings.Join(r.head, "\n"))
	const both = "Ardesia/s | Mosquitto/s | ratio | CPU µs Ardesia | CPU µs Mosquitto | cores of others"
	section("Durable ingest against a relay that stores nothing", "boards × under way of each | payload | "+both, r.ingests)
	section("Connections with certificates, full handshakes", "boards | "+both, r.storms)
	section(fmt.Sprintf("PUBACK at %s messages a second", count(pace)),
		"boards | Ardesia p50 ms | p99 ms | Mosquitto p50 ms | p99 ms | CPU µs Ardesia | CPU µs Mosquitto | cores of others", r.paces)
	section(r.growthTable())
	section("History", "what | figure", r.history)
	section("The API, 8 clients at once, on the embedded database and on PostgreSQL",
		"request | embedded/s | PostgreSQL/s | ratio | embedded p50 ms | p99 ms | CPU ms | allocations | kB | PostgreSQL p50 ms | p99 ms | CPU ms | allocations | kB | cores of others", r.apis)
	section("Tokens", "connections | requests/s | CPU µs each | p50 ms | p99 ms | allocations each | bytes each", r.tokens)
	section("People sign in, through the pages, with Argon2id (19 MiB, 2 passes)", "how | sign-ins/s | CPU ms each | p50 ms | p95 ms | allocations each | kB each | cores of others", r.doors)
	section("Decisions of the policy, in one process", "what | decisions/s | p50 µs | p99 µs | allocations | bytes", r.policy)
	section("Where the server's processor time goes", "load | share by kind, in % of samples", r.profile)
}

// growthTable has a column for each number of devices.
func (r *report) growthTable() (title, columns string, rows []string) {
	var names []string
	var sizes []int
	cells := map[string]map[int]string{}
	for _, g := range r.growth {
		if cells[g.name] == nil {
			cells[g.name] = map[int]string{}
			names = append(names, g.name)
		}
		if !slices.Contains(sizes, g.n) {
			sizes = append(sizes, g.n)
		}
		cells[g.name][g.n] = g.value
	}
	columns = "with so many devices"
	for _, n := range sizes {
		columns += " | " + count(n)
	}
	for _, name := range names {
		row := "| " + name
		for _, n := range sizes {
			row += " | " + cells[name][n]
		}
		rows = append(rows, row+" |")
	}
	return "Growth", columns, rows
}
