package manual

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/docs"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// A block is an example of a page.
type block struct {
	language string
	notRun   bool
	text     string
	line     int
}

var fence = regexp.MustCompile("^( *)```(.*)$")

// blocks are the examples of a text.
func blocks(t *testing.T, name, text string) (all []block) {
	t.Helper()
	var open *block
	indent := ""
	for i, line := range strings.Split(text, "\n") {
		m := fence.FindStringSubmatch(line)
		switch {
		case m == nil && open != nil:
			open.text += strings.TrimPrefix(line, indent) + "\n"
		case m != nil && open == nil:
			words := strings.Fields(m[2])
			if len(words) == 0 {
				t.Errorf("%s:%d: a block that does not say what it is", name, i+1)
				words = []string{""}
			}
			open, indent = &block{language: words[0], notRun: slices.Contains(words[1:], "not-run"), line: i + 1}, m[1]
		case m != nil:
			all, open = append(all, *open), nil
		}
	}
	if open != nil {
		t.Errorf("%s:%d: a block without an end", name, open.line)
	}
	return all
}

// elsewhere are the pages whose examples another test runs, in another house than this.
var elsewhere = map[string]string{
	"operate.md":                    "TestExamplesForOperators in cmd/ardesia",
	"integrations/homeassistant.md": "TestHomeAssistant… in test/bridge",
}

// Every example runs, or says that it does not.
func TestExamples(t *testing.T) {
	bin := t.TempDir()
	for _, name := range []string{"ardesia", "ardesiactl"} {
		if _, err := servertest.Build(bin, name); err != nil {
			t.Fatal(err)
		}
	}
	ran, marked := 0, 0
	err := fs.WalkDir(docs.Files, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".md") {
			return err
		}
		if _, lang := docs.Original(name); lang != "" {
			return nil // its blocks are the original's: TestTextsInOtherLanguages of web/manual
		}
		text, err := fs.ReadFile(docs.Files, name)
		if err != nil {
			return err
		}
		var run []block
		for _, b := range blocks(t, name, string(text)) {
			if b.notRun {
				marked++
				first, _, _ := strings.Cut(strings.TrimSpace(b.text), "\n")
				t.Logf("not run: %s:%d: %s", name, b.line, first)
				continue
			}
			run = append(run, b)
		}
		ran += len(run)
		if by, is := elsewhere[name]; len(run) > 0 && is {
			t.Logf("%s: %d blocks are run by %s", name, len(run), by)
		} else if len(run) > 0 {
			t.Run(strings.TrimSuffix(filepath.Base(name), ".md"), func(t *testing.T) { page(t, bin, name, run) })
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%d blocks ran, %d say that they do not", ran, marked)
	if ran < 20 {
		t.Errorf("only %d blocks ran: this test looks in the wrong place", ran)
	}
}

// page runs the examples of one page, in their order, in one shell: what one block sets the next may use.
func page(t *testing.T, bin, name string, all []block) {
	h := servertest.Start(t)
	_, key := h.Person("anna@example.org")
	api := h.Client(key)
	var device struct {
		ID string `json:"id"`
	}
	if err := api.Do(t.Context(), http.MethodPut, "/iot/v2/devices", map[string]any{"name": "example", "type": "generic_device_secretkey"}, &device); err != nil {
		t.Fatal(err)
	}
	var pass struct {
		Key string `json:"suggested_password"`
	}
	if err := api.Do(t.Context(), http.MethodPut, "/iot/v2/devices/"+device.ID+"/pass", map[string]any{}, &pass); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	ca, err := os.ReadFile(h.CA())
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "ca.pem"), ca, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	var script strings.Builder
	script.WriteString("set -euo pipefail\ntrap 'kill $(jobs -p) 2>/dev/null || true' EXIT\n")
	if name != "guide/start.md" { // which does this itself
		h.Admin("user.add", map[string]string{"email": "you@example.org", "name": "You", "password": "a few words that nobody guesses"}, nil)
		script.WriteString("echo \"$SECRET\" | ardesiactl login https://localhost:8443 --ca ca.pem --client-id \"$ID\" --secret-stdin --no-keyring\nexport URL=https://localhost:8443\n")
	}
	for i, b := range all {
		fmt.Fprintf(&script, "echo '--- %s:%d' >&2\n", name, b.line)
		switch b.language {
		case "sh":
			script.WriteString(b.text)
		case "python":
			fmt.Fprintf(&script, "python3 - <<'END-OF-BLOCK'\n%sEND-OF-BLOCK\n", b.text)
		case "javascript":
			fmt.Fprintf(&script, "NODE_EXTRA_CA_CERTS=ca.pem node --input-type=module - <<'END-OF-BLOCK'\n%sEND-OF-BLOCK\n", b.text)
		case "go":
			fmt.Fprintf(&script, "%s\n", goExample(t, dir, i, ports(h, b.text)))
		case "json":
			if !json.Valid([]byte(b.text)) {
				t.Errorf("%s:%d is no JSON", name, b.line)
			}
		default:
			t.Errorf("%s:%d: nobody runs %q; say not-run if nobody can", name, b.line, b.language)
		}
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-c", ports(h, script.String()))
	cmd.Dir = dir
	cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "HOME=" + dir, "XDG_CONFIG_HOME=" + dir, "ID=" + key.ID, "SECRET=" + key.Secret, "DEVICE=" + device.ID, "DEVICE_KEY=" + pass.Key}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", name, err, out)
	}
}

// ports puts this house into a text in the place of the one that texts speak of.
func ports(h *servertest.House, text string) string {
	return strings.NewReplacer("localhost:8443", "localhost:"+h.Port("https"), "8884", h.Port("mqtt-password"), "data/mine", h.Config.Data).Replace(text)
}

// goExample builds a program that uses packages of this module, and gives the command that runs it.
func goExample(t *testing.T, dir string, n int, text string) string {
	t.Helper()
	source, err := os.MkdirTemp(".", "example")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(source)
	if err := os.WriteFile(filepath.Join(source, "main.go"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	program := fmt.Sprintf("example-%d", n)
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(dir, program), "./"+source).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return "./" + program
}
