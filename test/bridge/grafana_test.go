package bridge

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"
	"gopkg.in/yaml.v3"

	"github.com/ardesia-iot/ardesia/client"
)

// What Grafana reads of a data source of Infinity.
type (
	provisioning struct {
		APIVersion  int `yaml:"apiVersion"`
		Datasources []source
	}
	source struct {
		Name, UID, Type, URL string
		JSON                 struct {
			Auth   string `yaml:"auth_method"`
			OAuth2 struct {
				Type     string `yaml:"oauth2_type"`
				ClientID string `yaml:"client_id"`
				TokenURL string `yaml:"token_url"`
			}
			Hosts     []string `yaml:"allowedHosts"`
			Authority bool     `yaml:"tlsAuthWithCACert"`
		} `yaml:"jsonData"`
		Secure struct {
			Secret    string `yaml:"oauth2ClientSecret"`
			Authority string `yaml:"tlsCACert"`
		} `yaml:"secureJsonData"`
	}
)

// What Grafana and Infinity read of a dashboard.
type (
	dashboard struct {
		Panels     []panel
		Templating struct{ List []variable }
	}
	panel struct {
		Title   string
		Source  where `json:"datasource"`
		Targets []query
	}
	variable struct {
		Name, Type string
		Multi      bool
		Source     where `json:"datasource"`
		Query      struct {
			QueryType string
			Infinity  query `json:"infinityQuery"`
		}
	}
	where struct{ Type, UID string }
	query struct {
		RefID                        string `json:"refId"`
		Type, Source, Format, Parser string
		Root                         string `json:"root_selector"`
		URL                          string
		Options                      struct {
			Method string
			Params []struct{ Key, Value string }
		} `json:"url_options"`
		Columns []struct{ Selector, Text, Type string }
	}
)

var inFile = regexp.MustCompile(`\$__file\{([^}]*)\}`)

// provisioned is the documented data source as Grafana reads it: what $__file names is read from there.
func (p *place) provisioned(t *testing.T) source {
	t.Helper()
	text := documented(t, "grafana-datasource.yml", "ardesia.example.org:443", "localhost:"+p.Port("https"), "CLIENT_ID", p.key.ID,
		"/etc/grafana/ardesia-ca.pem", p.CA(), "/etc/grafana/ardesia-secret", write(t, t.TempDir(), "secret", p.key.Secret+"\n"))
	var all provisioning
	dec := yaml.NewDecoder(strings.NewReader(text))
	dec.KnownFields(true)
	if err := dec.Decode(&all); err != nil || all.APIVersion != 1 || len(all.Datasources) != 1 {
		t.Fatalf("%+v, %v", all, err)
	}
	s := all.Datasources[0]
	for _, field := range []*string{&s.Secure.Secret, &s.Secure.Authority} {
		m := inFile.FindStringSubmatch(*field)
		if m == nil {
			t.Fatalf("%q names no file", *field)
		}
		raw, err := os.ReadFile(m[1])
		if err != nil {
			t.Fatal(err)
		}
		*field = strings.TrimSpace(string(raw))
	}
	if s.Type != "yesoreyeram-infinity-datasource" || s.JSON.Auth != "oauth2" || s.JSON.OAuth2.Type != "client_credentials" || !s.JSON.Authority || !slices.Contains(s.JSON.Hosts, s.URL) {
		t.Errorf("the data source is %+v", s)
	}
	return s
}

// web is what the data source asks with: its token comes by the client credentials grant.
func (s source) web(t *testing.T, p *place) *http.Client {
	t.Helper()
	roots, err := client.Trust(p.CA()) // is what tlsCACert says
	if err != nil {
		t.Fatal(err)
	}
	plain := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}, Timeout: patience}
	t.Cleanup(plain.CloseIdleConnections)
	way := clientcredentials.Config{ClientID: s.JSON.OAuth2.ClientID, ClientSecret: s.Secure.Secret, TokenURL: s.JSON.OAuth2.TokenURL}
	return way.Client(context.WithValue(t.Context(), oauth2.HTTPClient, plain))
}

// fetch asks for a path with a token.
func (p *place) fetch(t *testing.T, token, path string) string {
	t.Helper()
	roots, err := client.Trust(p.CA())
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}}
	defer web.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), "GET", p.URL()+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	got, err := web.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	text := readAll(t, got.Body)
	if got.StatusCode != http.StatusOK {
		t.Fatalf("%s is %d %s", path, got.StatusCode, text)
	}
	return text
}

// values are what variables and macros stand for at one time, by their name.
type values map[string][]string

var word = regexp.MustCompile(`\$\{(\w+)(?::(\w+))?\}|\$(\w+)`)

// put puts values into a text as Grafana does: ${name:csv} has commas, and so have several values without a format in Infinity.
func (v values) put(t *testing.T, text string) string {
	t.Helper()
	return word.ReplaceAllStringFunc(text, func(m string) string {
		part := word.FindStringSubmatch(m)
		name, format := part[1]+part[3], part[2]
		all, known := v[name]
		if !known || format != "" && format != "csv" {
			t.Errorf("nobody knows what %s stands for", m)
		}
		return strings.Join(all, ",")
	})
}

// ask asks a query as Infinity's backend does, and gives the rows that its root selector finds.
func (s source) ask(t *testing.T, web *http.Client, q query, v values) []map[string]any {
	t.Helper()
	if q.Type != "json" || q.Source != "url" || q.Parser != "backend" || q.Options.Method != "GET" || q.Root != "" || !slices.Contains([]string{"table", "timeseries"}, q.Format) {
		t.Fatalf("the query is %+v", q)
	}
	to, err := url.Parse(s.URL + v.put(t, q.URL))
	if err != nil {
		t.Fatal(err)
	}
	params := url.Values{}
	for _, p := range q.Options.Params {
		params.Add(p.Key, v.put(t, p.Value))
	}
	to.RawQuery = params.Encode()
	got, err := web.Get(to.String())
	if err != nil {
		t.Fatal(err)
	}
	text := readAll(t, got.Body)
	var rows []map[string]any
	if err := json.Unmarshal([]byte(text), &rows); err != nil || got.StatusCode != http.StatusOK {
		t.Fatalf("%s is %d %s, %v", to, got.StatusCode, text, err)
	}
	return rows
}

// holds says whether a value can be a column of a type: what it is in JSON, a text being what anything plain can be told as.
func holds(kind string, v any) bool {
	switch x := v.(type) {
	case string:
		_, err := time.Parse(time.RFC3339, x)
		return kind == "string" || kind == "timestamp" && err == nil
	case float64:
		return kind == "number" || kind == "string"
	case bool:
		return kind == "boolean" || kind == "string"
	}
	return false
}

// check holds an answer against the columns of its query.
func check(t *testing.T, q query, rows []map[string]any) {
	t.Helper()
	if len(rows) == 0 {
		t.Errorf("%s has no rows", q.URL)
	}
	for _, c := range q.Columns {
		if slices.ContainsFunc(rows, func(row map[string]any) bool {
			_, there := row[c.Selector]
			return there && !holds(c.Type, row[c.Selector])
		}) ||
			!slices.ContainsFunc(rows, func(row map[string]any) bool { return holds(c.Type, row[c.Selector]) }) {
			t.Errorf("the column %s of %s is no %s: %v", c.Selector, q.URL, c.Type, rows)
		}
	}
	if q.Format != "timeseries" {
		return
	}
	// A long table becomes a wide one, with a line for each property, only where its times ascend.
	at := func(row map[string]any) time.Time {
		when, _ := time.Parse(time.RFC3339, fmt.Sprint(row["time"])) // is one, as was seen above
		return when
	}
	if !slices.IsSortedFunc(rows, func(a, b map[string]any) int { return at(a).Compare(at(b)) }) {
		t.Errorf("the times of %s do not ascend: %v", q.URL, rows)
	}
}

func TestGrafanaAsksWhatTheDashboardShows(t *testing.T) {
	t.Parallel()
	p := settle(t)
	s := p.provisioned(t)
	web := s.web(t, p)
	var board dashboard
	if err := json.Unmarshal([]byte(documented(t, "grafana-dashboard.json")), &board); err != nil {
		t.Fatal(err)
	}
	begin := time.Now().Add(-time.Minute)
	p.life.say(t, 21.5, true, "all is well")
	p.life.say(t, 22.5, false, "it is warm")
	other := p.thing.ID // a thing without a value beside the one with a board
	p.do(t, "PUT", "/iot/v2/things", map[string]any{"name": "Shed", "properties": []any{map[string]any{"name": "n", "type": "INT", "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"}}}, &p.thing)
	ms := func(at time.Time) []string { return []string{strconv.FormatInt(at.UnixMilli(), 10)} }
	v := values{"__from": ms(begin), "__to": ms(time.Now().Add(time.Minute)), "__interval": {"500ms"}, "__interval_ms": {"500"}}

	for _, one := range board.Templating.List {
		if one.Type != "query" || one.Query.QueryType != "infinity" || one.Source.UID != s.UID || one.Source.Type != s.Type {
			t.Errorf("the variable is %+v", one)
		}
		rows := s.ask(t, web, one.Query.Infinity, v)
		check(t, one.Query.Infinity, rows)
		var texts []string
		for _, row := range rows {
			for _, c := range one.Query.Infinity.Columns {
				switch c.Text {
				case "__text":
					texts = append(texts, fmt.Sprint(row[c.Selector]))
				case "__value":
					v[one.Name] = append(v[one.Name], fmt.Sprint(row[c.Selector]))
				}
			}
		}
		if one.Name != "thing" || !one.Multi || !slices.Equal(texts, []string{"Greenhouse", "Shed"}) || !slices.Contains(v[one.Name], other) {
			t.Errorf("the variable %s offers %q for %q", one.Name, texts, v[one.Name])
		}
	}
	answers := map[string][]map[string]any{}
	for _, one := range board.Panels {
		for _, q := range one.Targets {
			rows := s.ask(t, web, q, v)
			check(t, q, rows)
			answers[one.Title+" "+q.RefID] = rows
		}
		if one.Source.UID != s.UID || one.Source.Type != s.Type || len(one.Targets) == 0 {
			t.Errorf("the panel %s asks %+v", one.Title, one.Source)
		}
	}

	// What the panels show is what the board has said.
	has := func(what string, want map[string]any) {
		t.Helper()
		for _, row := range answers[what] {
			same := true
			for k, v := range want {
				same = same && row[k] == v
			}
			if same {
				return
			}
		}
		t.Errorf("%s has no row like %v: %v", what, want, answers[what])
	}
	has("Newest values A", map[string]any{"thing": "Greenhouse", "property": "temperature", "value": 22.5})
	has("Newest values A", map[string]any{"thing": "Greenhouse", "property": "note", "value": "it is warm"})
	has("Newest values A", map[string]any{"thing": "Greenhouse", "property": "door", "value": false})
	has("Lowest and highest B", map[string]any{"thing": "Greenhouse", "property": "temperature", "value": 22.5})
	has("Boards A", map[string]any{"name": "Board 1", "device_status": "ONLINE"})
	for _, row := range answers["Numbers and switches A"] {
		if row["property"] == "note" {
			t.Errorf("a text is among the numbers: %v", row)
		}
	}
	count := 0.0
	for _, row := range answers["Values in an interval A"] {
		if row["property"] == "temperature" {
			count += row["value"].(float64)
		}
	}
	if count != 2 {
		t.Errorf("%v temperatures were counted", count)
	}
}
