package bridge

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// files writes the documented files of Prometheus for a place into a folder, and returns it.
func (p *place) files(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	at := "localhost:" + p.Port("https")
	write(t, dir, "prometheus.yml", documented(t, "prometheus.yml",
		"ardesia.example.org:443", at, "CLIENT_ID", p.key.ID,
		"/etc/prometheus/ardesia-ca.pem", p.CA(), "/etc/prometheus/ardesia-secret", write(t, dir, "secret", p.key.Secret)))
	write(t, dir, "prometheus.rules.yml", documented(t, "prometheus.rules.yml"))
	return dir
}

// A prometheus is one that runs.
type prometheus struct {
	t    *testing.T
	base string
}

func (p *place) prometheus(t *testing.T) prometheus {
	t.Helper()
	dir, port := p.files(t), freePort(t)
	run(t, dir, "", "promtool", "check", "config", "prometheus.yml")
	start(t, dir, "prometheus", "--config.file=prometheus.yml", "--storage.tsdb.path="+filepath.Join(dir, "data"), "--web.listen-address=127.0.0.1:"+port, "--log.level=warn")
	return prometheus{t, "http://127.0.0.1:" + port}
}

// get asks the HTTP API for something; false while it cannot be had.
func (m prometheus) get(path string, out any) bool {
	m.t.Helper()
	r, err := http.NewRequestWithContext(m.t.Context(), "GET", m.base+path, nil)
	if err != nil {
		m.t.Fatal(err)
	}
	got, err := http.DefaultClient.Do(r)
	if err != nil {
		return false // is starting
	}
	text := readAll(m.t, got.Body)
	answer := struct{ Data any }{out}
	if got.StatusCode != http.StatusOK {
		return false
	}
	if err := json.Unmarshal([]byte(text), &answer); err != nil {
		m.t.Fatalf("%s is %s: %v", path, text, err)
	}
	return true
}

// A vector is what a query answers: labels and a value each.
type vector []struct {
	Metric map[string]string
	Value  [2]any // time, and the value as a text
}

func (m prometheus) query(text string) (v vector) {
	m.t.Helper()
	var out struct{ Result vector }
	m.get("/api/v1/query?query="+url.QueryEscape(text), &out)
	return out.Result
}

// is waits until a query has one answer, with a value.
func (m prometheus) is(query string, value any) map[string]string {
	m.t.Helper()
	var got vector
	eventually(m.t, fmt.Sprintf("%s to be %v", query, value), func() (bool, string) {
		got = m.query(query)
		var targets struct {
			ActiveTargets []struct{ Health, LastError string }
		}
		m.get("/api/v1/targets", &targets)
		return len(got) == 1 && got[0].Value[1] == fmt.Sprint(value), fmt.Sprintf("it is %v, and targets are %+v", got, targets)
	})
	return got[0].Metric
}

func TestPrometheusSeesWhatABoardSays(t *testing.T) {
	t.Parallel()
	p := settle(t)
	p.life.say(t, 21.5, true, "all is well")
	m := p.prometheus(t)

	const temperature = `ardesia_property_value{variable="temperature"}`
	labels := m.is(temperature, 21.5)
	for name, want := range map[string]string{
		"thing": "Greenhouse", "thing_id": p.thing.ID, "property": "temperature", "property_id": propertyID(t, p, "temperature"), "type": "HOME_TEMPERATURE_C", "unit": "°C",
		"job": "ardesia", "instance": "localhost:" + p.Port("https"),
	} {
		if labels[name] != want {
			t.Errorf("the label %s is %q, want %q", name, labels[name], want)
		}
	}
	m.is(`ardesia_property_value{variable="door"}`, 1)
	m.is(`ardesia_device_up{device="Board 1"}`, 1)
	m.is(`count(ardesia_property_updated_timestamp_seconds)`, 3)
	m.is(`abs(time() - ardesia_property_updated_timestamp_seconds{variable="note"}) < bool 300`, 1)
	if got := m.query(`{__name__=~"ardesia_.+",variable="note"}`); len(got) != 1 {
		t.Errorf("a text is %v", got)
	}
	m.is(`up{job="ardesia"}`, 1)

	// The alert fires, and ends.
	alerts := func() (firing []string) {
		var out struct {
			Alerts []struct {
				Labels, Annotations map[string]string
				State               string
			}
		}
		m.get("/api/v1/alerts", &out)
		for _, a := range out.Alerts {
			if a.State == "firing" {
				firing = append(firing, a.Labels["alertname"]+": "+a.Annotations["summary"])
			}
		}
		return firing
	}
	if got := alerts(); len(got) != 0 {
		t.Errorf("before it is too warm, there is %q", got)
	}
	p.life.say(t, 31.25, false, "it is warm")
	m.is(temperature, 31.25)
	eventually(t, "the alert to fire", func() (bool, string) {
		got := alerts()
		return len(got) == 1 && got[0] == "TooWarm: Greenhouse: temperature is 31.25", fmt.Sprintf("%q", got)
	})
	p.life.say(t, 20, true, "it is cool")
	p.life.stop()
	m.is(temperature, 20)
	m.is(`ardesia_device_up`, 0)
	eventually(t, "the alert to end", func() (bool, string) {
		got := alerts()
		return len(got) == 0, fmt.Sprintf("%q", got)
	})
}

func propertyID(t *testing.T, p *place, variable string) string {
	t.Helper()
	for _, one := range p.thing.Properties {
		if one.Variable == variable {
			return one.ID
		}
	}
	t.Fatalf("the thing has no variable %s", variable)
	return ""
}

// promtool finds nothing to mend in names and help, and what it reads is what the text format allows.
func TestPromtoolLikesTheMetrics(t *testing.T) {
	t.Parallel()
	p := settle(t)
	p.life.say(t, 21.5, true, "all is well")
	api := p.ClientIn(t, p.key, "")
	token, err := api.Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	text := p.fetch(t, token, "/v1/integrations/prometheus?tag=room:greenhouse")
	if !strings.Contains(text, `variable="temperature"} 21.5`) {
		t.Errorf("the scrape is\n%s", text)
	}
	if out := run(t, t.TempDir(), text, "promtool", "check", "metrics"); out != "" {
		t.Errorf("promtool says\n%s", out)
	}
}

// The alerts that wait do so for as long as they say.
func TestRulesOfAlerts(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "prometheus.rules.yml", documented(t, "prometheus.rules.yml"))
	cases, err := os.ReadFile(filepath.Join("testdata", "rules.test.yml"))
	if err != nil {
		t.Fatal(err)
	}
	write(t, dir, "rules.test.yml", string(cases))
	run(t, dir, "", "promtool", "check", "rules", "prometheus.rules.yml")
	if out := run(t, dir, "", "promtool", "test", "rules", "rules.test.yml"); !strings.Contains(out, "SUCCESS") {
		t.Errorf("promtool says\n%s", out)
	}
}

// A file that lacks what must be put in is not taken.
func TestPromtoolRefuses(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "prometheus.yml", documented(t, "prometheus.yml", "scheme: https", "schema: https"))
	write(t, dir, "prometheus.rules.yml", documented(t, "prometheus.rules.yml"))
	if err := refused(t, dir, "promtool", "check", "config", "prometheus.yml"); !strings.Contains(err, "schema") {
		t.Errorf("promtool says %s", err)
	}
}
