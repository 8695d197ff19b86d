package servertest

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
)

// notes are which test of this process got from which route what it is there for, and with which program.
var notes = struct {
	sync.Mutex
	got  map[string]bool // guarded: lines, as in the file
	done map[string]bool // guarded: tests with a house that ran to their end, and whether they passed
}{got: map[string]bool{}, done: map[string]bool{}}

// note keeps one answer that is not a problem, or says that this server does not do such a thing.
func note(test, pattern, agent string, status int) {
	who := program(agent)
	switch {
	case status == http.StatusNotImplemented:
		who += Refused
	case status >= http.StatusBadRequest:
		return
	}
	notes.Lock()
	defer notes.Unlock()
	notes.got[pattern+"\t"+who+"\t"+test] = true
}

// Refused stands behind the program where the answer was 501: what is asked for is known, and not done here.
const Refused = ", which gets 501"

// finished keeps how t ended; it stands among the cleanups.
func finished(t testing.TB) {
	notes.Lock()
	defer notes.Unlock()
	notes.done[t.Name()] = !t.Failed() && !t.Skipped()
}

// programs are how those who ask call themselves; cloud-api reference, section 4.
var programs = []struct{ prefix, name string }{
	{"OpenAPI-Generator/3.0.0/Javascript", "@arduino/arduino-iot-client"},
	{"OpenAPI-Generator/3.1.2/go", "calls of arduino-cloud-cli"},
	{"node", "Node.js (arduino-iot-js, or a fetch of our own)"},
	{"undici", "Node.js (arduino-iot-js, or a fetch of our own)"}, // before Node.js 20
	{"Go-http-client/", "Go"},
}

func program(agent string) string {
	for _, p := range programs {
		if strings.HasPrefix(agent, p.prefix) {
			return p.name
		}
	}
	return "others"
}

// Exercised runs the tests of a package and keeps in file which of them got from which route what it is there for: one
// line with route, program and test, for those tests that want wants. A line whose test passed without doing so fails
// the run; update writes the lines of the tests that ran anew. It returns the exit code.
func Exercised(m *testing.M, file string, want func(test string) bool, update *bool) int {
	code := m.Run()
	notes.Lock()
	defer notes.Unlock()
	text, err := os.ReadFile(file)
	if err != nil && !os.IsNotExist(err) {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		line = strings.TrimSuffix(line, "\n")
		test := line[strings.LastIndexByte(line, '\t')+1:]
		passed, ran := notes.done[test]
		if ran && passed && !notes.got[line] && !*update {
			fmt.Fprintf(os.Stderr, "%s says what is no longer so; is it right? Then write it anew with -update:\n  %s\n", file, line)
			code = 1
		}
		if !ran || !passed {
			lines = append(lines, line)
		}
	}
	if !*update {
		return code
	}
	for line := range notes.got {
		if test := line[strings.LastIndexByte(line, '\t')+1:]; want(test) && notes.done[test] {
			lines = append(lines, line)
		}
	}
	slices.Sort(lines)
	err = os.MkdirAll(filepath.Dir(file), 0o755)
	if err == nil {
		err = os.WriteFile(file, []byte(strings.Join(slices.Compact(lines), "\n")+"\n"), 0o644)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}
