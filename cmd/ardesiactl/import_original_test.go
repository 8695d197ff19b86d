package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

const (
	radio = "10000000-0000-4000-8000-000000000001"
	lora  = "10000000-0000-4000-8000-000000000002"
	house = "20000000-0000-4000-8000-000000000001"
	attic = "20000000-0000-4000-8000-000000000002"
	heat  = "30000000-0000-4000-8000-000000000001"
	odd   = "30000000-0000-4000-8000-000000000002"
	empty = "30000000-0000-4000-8000-000000000003"
	away  = "30000000-0000-4000-8000-000000000004"
	panel = "40000000-0000-4000-8000-000000000001"
	guest = "40000000-0000-4000-8000-000000000002"
	alarm = "50000000-0000-4000-8000-000000000001"
	blind = "50000000-0000-4000-8000-000000000002"
	mail  = "60000000-0000-4000-8000-000000000001"
)

// An original is a server that behaves as the Arduino Cloud does where it is not at its best: a limit of requests, tokens
// that end, lists with nulls, no third version of dashboards, answers that are late or empty.
type original struct {
	mu    sync.Mutex
	token int            // guarded by mu
	calls map[string]int // guarded by mu
	start time.Time
}

func (o *original) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	o.mu.Lock()
	defer o.mu.Unlock()
	what := r.Method + " " + r.URL.Path
	o.calls[what]++
	n := o.calls[what]
	if r.URL.Path == "/iot/v1/clients/token" {
		o.token++
		w.Header().Set("Content-Type", "application/vnd.arduino.token+json")
		fmt.Fprintf(w, `{"access_token":"t%d","expires_in":300,"token_type":"Bearer"}`, o.token)
		return
	}
	if r.Header.Get("Authorization") != fmt.Sprintf("Bearer t%d", o.token) {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprint(w, "token expired")
		return
	}
	switch {
	case n == 1 && r.Method == "GET":
		w.Header().Set("Retry-After", "0")
		w.WriteHeader(http.StatusTooManyRequests)
		fmt.Fprint(w, "Maximum request limit reached")
		return
	case n == 2 && r.Method == "POST":
		o.token++
		w.WriteHeader(http.StatusUnauthorized)
		return
	}
	switch r.URL.Path {
	case "/iot/v2/devices":
		fmt.Fprintf(w, `[{"id":%q,"name":"board","type":"login_and_secretkey_wifi","fqbn":"esp32:esp32:esp32","serial":"","label":"x","href":"x","user_id":%q,"tags":{},"unique_hardware_id":"","connection_type":null},
			{"id":%q,"name":"far","type":"mkrwan1310"},{"id":"no id","name":"strange"}]`, radio, radio, lora)
	case "/iot/v2/things":
		fmt.Fprintf(w, `[{"id":%q,"name":"House","timezone":"Europe/Rome","device_id":%q,"webhook_active":null,"sketch_id":%q,"properties_count":3,"properties":[
			{"id":%q,"name":"heat","type":"TEMPERATURE","permission":"READ_ONLY","update_strategy":"ON_CHANGE","last_value":null,"variable_name":"heat","persist":true},
			{"id":%q,"name":"odd","type":"NOT_OF_THIS_WORLD","permission":"READ_ONLY","update_strategy":"ON_CHANGE","last_value":"N/A"},
			{"id":%q,"name":"empty","type":"CHARSTRING","permission":"READ_ONLY","update_strategy":"ON_CHANGE","last_value":"N/A","value_updated_at":null}]},
			{"id":%q,"name":"Attic","timezone":"Mars/Olympus","properties":[{"id":%q,"name":"away","type":"INT","permission":"READ_ONLY","update_strategy":"ON_CHANGE"}]}]`,
			house, radio, mail, heat, odd, empty, attic, away)
	case "/iot/v2/dashboards":
		fmt.Fprintf(w, `[{"id":%q,"name":"Panel","widgets":[{"id":%q,"type":"Gauge","x":0,"y":0,"width":2,"height":2,"options":null,"variables":[{"id":%q},{"id":%q}]}],"shared_with":[{"user_id":%q}]},
			{"id":%q,"name":"Theirs","shared_by":{"user_id":%q},"widgets":[]}]`, panel, mail, heat, away, mail, guest, mail)
	case "/iot/v1/triggers":
		fmt.Fprintf(w, `[{"id":%q,"name":"Alarm","device_status_source":{"criteria":"EXCLUDE","device_ids":null}},{"id":%q,"name":"Blind","property_id":%q}]`, alarm, blind, odd)
	case "/iot/v1/actions":
		fmt.Fprintf(w, `[{"id":%q,"trigger_id":%q,"kind":"NOTIFY-EMAIL","name":"mail","description":null,"email":{"subject":{"expression":"away"},"body":{"expression":"gone"},"delivery":{"to":[{"id":%q,"email":"somebody@example.org"}]}}}]`, mail, alarm, mail)
	case "/iot/v2/series/batch_query_raw":
		o.raw(w, r)
	case "/iot/v2/series/batch_query":
		w.WriteHeader(http.StatusNotImplemented)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

// raw has 1,200 values of heat: two of them are null, one is a text, and one is there twice. It looks at an hour at a time.
func (o *original) raw(w http.ResponseWriter, r *http.Request) {
	var in struct {
		Requests []struct {
			Q        string
			From, To time.Time
			Limit    int `json:"series_limit"`
		}
	}
	if json.NewDecoder(r.Body).Decode(&in) != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	var all []string
	for _, q := range in.Requests {
		end := q.To
		var times, values []string
		if strings.HasSuffix(q.Q, heat) {
			if later := q.From.Add(time.Hour); q.From.After(o.start.Add(-2*time.Hour)) && later.Before(end) {
				end = later
			}
			for i := range 1200 {
				at := o.start.Add(time.Duration(i) * 10 * time.Second)
				if at.Before(q.From) || !at.Before(end) || len(times) >= q.Limit {
					continue
				}
				value := fmt.Sprint(i)
				switch i {
				case 3, 800:
					value = "null"
				case 4:
					value = `"hot"`
				case 5:
					times, values = append(times, at.Format(`"`+time.RFC3339Nano+`"`)), append(values, "5")
				}
				times, values = append(times, at.Format(`"`+time.RFC3339Nano+`"`)), append(values, value)
			}
		}
		all = append(all, fmt.Sprintf(`{"query":%q,"status":"ok","times":[%s],"values":[%s],"to_date":%q,"series":{"metric":""}}`, q.Q, strings.Join(times, ","), strings.Join(values, ","), end.Format(time.RFC3339Nano)))
	}
	fmt.Fprintf(w, `{"resp_version":1,"responses":[%s]}`, strings.Join(all, ","))
}

func TestImportFromTheOriginal(t *testing.T) {
	t.Setenv("ARDESIACTL_CONFIG", filepath.Join(t.TempDir(), "ctl.json"))
	dst := newSide(t)
	t.Setenv("ARDESIA_CLIENT_SECRET", dst.key.Secret)
	t.Setenv("ARDUINO_CLOUD_SECRET", strings.Repeat("s", 64))
	from := httptest.NewServer(&original{calls: map[string]int{}, start: time.Now().UTC().Truncate(time.Second).Add(-10 * time.Hour)})
	t.Cleanup(from.Close)
	line := []string{"import", "arduino-cloud", "--from", from.URL, "--client-id", strings.Repeat("c", 32), "--rate", "0", "--to-rate", "0", "--to", dst.URL(), "--to-ca", dst.CA(),
		"--to-client-id", dst.key.ID, "--state", filepath.Join(t.TempDir(), "s.json"), "--since", "24h", "--verify"}
	r := call(t, "", line...)
	for _, text := range []string{
		"devices     3 found, 1 copied, 0 there already, 1 skipped, 1 failed", lora + "  far: a LoRa board",
		"things      2 found, 1 copied, 0 there already, 0 skipped, 1 failed", attic + "  Attic: ", "its sketch " + mail,
		"properties  4 found, 2 copied, 0 there already, 0 skipped, 2 failed", odd + "  odd: ", "its thing could not be copied",
		"dashboards  2 found, 1 copied, 0 there already, 1 skipped, 0 failed", guest + "  Theirs: it belongs to somebody", "1 variables of its widgets were not copied", "shared with 1 people",
		"triggers    2 found, 1 copied, 0 there already, 1 skipped, 0 failed", blind + "  Blind: the property that it watches was not copied", "1 recipients of its action mail are not known here",
		"2 of 2 properties complete: 1201 values read, 1197 written", "1 values at the instant of another", "1 values that their property cannot hold", "2 values that say nothing",
		`"hot": A value of this property is a number.`, "Verified: 2 properties with 1197 values; 0 by count and sum, 1 value by value; 0 are wrong.", "1 new secrets are in",
	} {
		if !strings.Contains(r.out, text) {
			t.Errorf("the report does not say %q", text)
		}
	}
	if r.code != exitFailure || !strings.Contains(r.err, "not everything") {
		t.Errorf("code %d: %s", r.code, r.err)
	}
	if t.Failed() {
		t.Log(r.out)
	}
	one := dst.things()["House"]
	if got := dst.past(id(one), "heat"); len(got) != 1197 {
		t.Errorf("%d values are there", len(got))
	}
	var boards []object
	dst.want("GET", "/iot/v3/dashboards", nil, &boards)
	if w := boards[0]["widgets"].([]any)[0].(object); len(boards) != 1 || len(w["variables"].([]any)) != 1 || w["page_id"] != "0" {
		t.Errorf("%v", boards)
	}
	if again := call(t, "", line...); again.code != exitFailure || !strings.Contains(again.out, "1197 written, 0 there already") {
		t.Errorf("again: %+v", again)
	}
}
