package ota

import (
	"bytes"
	"encoding/json"
	"fmt"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/command"
	"github.com/ardesia-iot/ardesia/internal/base/otafile"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
)

// ask sends one request as a token; kind "" is JSON.
func ask(t *testing.T, api http.Handler, token, method, path, kind, body string, header map[string]string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	if kind == "" {
		kind = "application/json"
	}
	r.Header.Set("Content-Type", kind)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	for name, value := range header {
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	api.ServeHTTP(w, r)
	return w
}

func formOf(t *testing.T, file []byte, fields ...string) (kind, body string) {
	t.Helper()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	part, err := w.CreateFormFile("ota_file", "sketch.ota")
	if err == nil {
		_, err = part.Write(file)
	}
	for i := 0; err == nil && i < len(fields); i += 2 {
		err = w.WriteField(fields[i], fields[i+1]) // behind the file, where fields may be too
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.FormDataContentType(), b.String()
}

func TestUploadsOfTheCompatibleAPI(t *testing.T) {
	h := liteHouse(t)
	api := h.api()
	image := program(1, 5000)
	file := encoded(t, image, nano)
	board := h.board(editor, device.Device{})
	path := "/iot/v2/devices/" + board + "/ota"
	kind, body := formOf(t, file, "async", "true", "expire_in_mins", "10080")
	bad := bytes.Clone(file)
	bad[100] ^= 1
	badKind, badBody := formOf(t, bad)
	espKind, espBody := formOf(t, encoded(t, image, otafile.ESP32))
	longKind, longBody := formOf(t, file, "expire_in_mins", "99999")
	hugeKind, hugeBody := formOf(t, append(bytes.Clone(file[:otafile.HeaderBytes]), make([]byte, otafile.MaxFile+formExtra)...))
	for what, c := range map[string]struct {
		token, kind, body string
		status            int
		code              string
	}{
		"JSON":           {"editor", "application/json", `{}`, 400, "ota-form"},
		"no file":        {"editor", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"async\"\r\n\r\ntrue\r\n--x--\r\n", 400, "ota-form"},
		"half a form":    {"editor", kind, body[:len(body)/2], 400, "invalid-body"},
		"no form at all": {"editor", "multipart/form-data; boundary=x", "nothing", 400, "ota-form"},
		"a damaged file": {"editor", badKind, badBody, 400, "ota-file-crc"},
		"another board":  {"editor", espKind, espBody, 400, "ota-other-board"},
		"much too long":  {"editor", longKind, longBody, 400, "ota-invalid"},
		"much too large": {"editor", hugeKind, hugeBody, 413, "ota-file-size"},
		"a viewer":       {"viewer", kind, body, 403, "forbidden"},
		"a stranger":     {"other", kind, body, 404, "device-not-found"},
		"nobody":         {"", kind, body, 401, "unauthenticated"},
	} {
		w := ask(t, api, c.token, "POST", path, c.kind, c.body, nil)
		var e struct {
			Code string `json:"code"`
		}
		if err := json.Unmarshal(w.Body.Bytes(), &e); err != nil || w.Code != c.status || e.Code != c.code {
			t.Errorf("%s: %d %s, want %d %s", what, w.Code, w.Body, c.status, c.code)
		}
	}
	w := ask(t, api, "editor", "POST", path, kind, body, nil)
	var up wireUploaded
	if err := json.Unmarshal(w.Body.Bytes(), &up); err != nil || w.Code != 202 || up.Version != 2 || up.ID == "" || up.Status != "pending" || len(up.SHA) != 64 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	u, _, err := h.Get(t.Context(), editor, space, up.ID)
	if err != nil || !u.ExpiresAt.Equal(noon.Add(7*24*time.Hour)) {
		t.Errorf("%+v, %v", u, err)
	}
	if w := ask(t, api, "editor", "POST", path, kind, body, nil); w.Code != 409 {
		t.Errorf("once more: %d %s", w.Code, w.Body)
	}
	for query, status := range map[string]int{"": 200, "?device_id=" + board + "&limit=1&order=desc": 200, "?limit=x": 400, "?limit=-1": 400, "?order=up": 400} {
		if w := ask(t, api, "viewer", "GET", "/ota/v1/ota"+query, "", "", nil); w.Code != status {
			t.Errorf("list %s: %d %s", query, w.Code, w.Body)
		}
	}
	for i, status := range []int{200, 409} {
		if w := ask(t, api, "editor", "PUT", "/ota/v1/ota/"+up.ID+"/cancel", "", "", nil); w.Code != status {
			t.Errorf("cancel %d: %d %s", i, w.Code, w.Body)
		}
	}
	// Stored files, and waiting for the end.
	h.pass(time.Second)
	i := h.upload(editor, program(2, 50), nano)
	for body, status := range map[string]int{
		`{"binary_key":"ota/x/../y.ota"}`: 400, `{"binary_key":"` + i.Key() + `x"}`: 400, `{"binary_key":"` + strings.Replace(i.Key(), space, otherSpace, 1) + `"}`: 404,
		`{"binary_key":"` + i.Key() + `","sha256":"` + strings.Repeat("0", 64) + `"}`: 400, `{"binary_key":"` + i.Key() + `","sha256":"` + strings.ToUpper(hexOf(i.ImageSHA)) + `"}`: 202,
	} {
		if w := ask(t, api, "editor", "POST", path+"/url", "", body, nil); w.Code != status {
			t.Errorf("%s: %d %s, want %d", body, w.Code, w.Body, status)
		}
	}
	all, err := h.List(t.Context(), editor, Filter{Space: space, Device: board, Limit: 1})
	if err != nil || len(all) != 1 || all[0].Status != Pending {
		t.Fatalf("%+v, %v", all, err)
	}
	if _, err := h.Cancel(t.Context(), editor, space, all[0].ID); err != nil {
		t.Fatal(err)
	}
	h.run()
	s := h.connect(board)
	s.begin(program(3, 50))
	answered := make(chan int)
	go func() {
		answered <- ask(t, api, "editor", "PUT", path, "", `{"binary_key":"`+i.Key()+`","async":false}`, nil).Code
	}()
	m := <-s.box
	for {
		if c, err := command.Decode(m.payload); err == nil {
			if offered, ok := c.(command.OtaUpdate); ok {
				s.progress(offered, command.OtaFail, -12)
				break
			}
		}
		m = <-s.box
	}
	if status := <-answered; status != 200 {
		t.Errorf("who waited for the end got %d", status)
	}
}

// A plain image becomes a file, if it is said for which board.
func TestPlainImages(t *testing.T) {
	h := liteHouse(t)
	api := h.api()
	var b bytes.Buffer
	w := multipart.NewWriter(&b)
	_ = w.WriteField("fqbn", "arduino:samd:nano_33_iot")
	_ = w.WriteField("name", "Blink")
	part, _ := w.CreateFormFile("ota_file", "sketch.bin")
	_, _ = part.Write(program(1, 100))
	_ = w.Close()
	got := ask(t, api, "editor", "POST", "/v1/ota/images", w.FormDataContentType(), b.String(), nil)
	var i wireImage
	if err := json.Unmarshal(got.Body.Bytes(), &i); err != nil || got.Code != 201 || i.Name != "Blink" || i.Board != "arduino:samd:nano_33_iot" || i.ImageSize != 100 || !i.Lasting {
		t.Errorf("%d %s", got.Code, got.Body)
	}
}

func TestFilesForBoards(t *testing.T) {
	h := liteHouse(t)
	api := h.api()
	file := encoded(t, program(1, 150_000), nano)
	i, err := h.Upload(t.Context(), editor, space, "", true, bytes.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	board := h.board(editor, device.Device{})
	s := h.connect(board)
	s.begin(program(2, 10))
	h.settle()
	h.start(board, i, Terms{})
	path := strings.TrimPrefix(s.offer().URL, "https://ardesia.example.org")
	n := len(file)
	for _, c := range []struct {
		ranges string
		status int
		want   []byte
	}{
		{"", 200, file},
		{"bytes=0-10240", 206, file[:10241]},
		{"bytes=65530-65540", 206, file[65530:65541]}, // over the border of two parts
		{fmt.Sprintf("bytes=%d-", n-7), 206, file[n-7:]},
		{fmt.Sprintf("bytes=%d-%d", n-7, n+3000), 206, file[n-7:]}, // boards ask for more than there is
		{"bytes=-5", 206, file[n-5:]},
		{fmt.Sprintf("bytes=%d-", n), 416, nil},
	} {
		header := map[string]string{}
		if c.ranges != "" {
			header["Range"] = c.ranges
		}
		w := ask(t, api, "", "GET", path, "", "", header)
		if w.Code != c.status || c.want != nil && !bytes.Equal(w.Body.Bytes(), c.want) {
			t.Errorf("%q: %d with %d bytes, want %d with %d", c.ranges, w.Code, w.Body.Len(), c.status, len(c.want))
		}
		if c.want != nil && (w.Header().Get("Content-Length") != fmt.Sprint(len(c.want)) || w.Header().Get("Content-Encoding") != "" || w.Header().Get("Cache-Control") != "no-store") {
			t.Errorf("%q: %v", c.ranges, w.Header())
		}
	}
	r := httptest.NewRequest("GET", path, nil)
	r.SetBasicAuth(strings.ToUpper(board), "a wrong secret")
	w := httptest.NewRecorder()
	if api.ServeHTTP(w, r); w.Code != 401 {
		t.Errorf("with another secret: %d", w.Code)
	}
	if w := ask(t, api, "", "GET", path[:len(path)-1], "", "", nil); w.Code != 404 {
		t.Errorf("a shorter address: %d", w.Code)
	}
}

// Waves wait for each other; one in which too many fail halts the rest, until somebody says so or ends it.
func TestCampaigns(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		before, after := program(1, 100), program(2, 100)
		i := h.upload(editor, after, nano)
		sessions := map[string]*session{}
		var ids []string
		for k := range 6 {
			h.pass(time.Second)
			id := h.board(editor, device.Device{Name: fmt.Sprint("board ", k), Tags: map[string]string{"room": "hall"}})
			ids = append(ids, id)
			sessions[id] = h.connect(id)
			sessions[id].begin(before)
		}
		phone, away := h.board(editor, device.Device{Name: "phone", Type: "phone", Tags: map[string]string{"room": "hall"}}), "6ba7b810-9dad-41d1-80b4-00c04fd430c8"
		busy := h.board(editor, device.Device{Name: "busy"})
		h.start(busy, i, Terms{})
		h.settle()
		c, skipped, err := h.StartMany(ctx, editor, space, Wish{Image: i.ID, Devices: []string{ids[0], ids[0], busy, away}, Tags: []device.Tag{{Key: "room", Value: "hall"}}, WaveSize: 2, MaxFailed: 50, Terms: Terms{Life: time.Hour}})
		if err != nil || c.Devices != 6 || c.Waves() != 3 {
			t.Fatalf("%+v, %v", c, err)
		}
		why := map[string]error{}
		for _, one := range skipped {
			why[one.Device] = one.Err
		}
		if len(skipped) != 3 || why[phone] == nil || why[busy] != ErrRunning || why[away] != device.ErrNotFound {
			t.Errorf("skipped: %v", skipped)
		}
		h.settle()
		finish := func(k int, good bool) {
			t.Helper()
			s := sessions[ids[k]]
			offered := s.offer()
			if !good {
				s.progress(offered, command.OtaFail, -12)
				h.settle()
				return
			}
			s.begin(after)
			h.settle()
		}
		quiet := func(from int) {
			t.Helper()
			for _, id := range ids[from:] {
				if _, ok := sessions[id].got(); ok {
					t.Error("a device is told before its wave has come")
				}
			}
		}
		state := func(want CampaignState, wave int) {
			t.Helper()
			now, _, err := h.Campaign(ctx, editor, space, c.ID)
			if err != nil || now.State != want || now.Wave != wave {
				t.Errorf("the campaign is %+v, %v, want %s in wave %d", now, err, want, wave)
			}
		}
		quiet(2)
		finish(0, true)
		quiet(2)
		finish(1, false) // one of two is not more than half
		state(Running, 1)
		quiet(4)
		// Held updates have their whole time once they are let go.
		h.pass(50 * time.Minute)
		h.tick()
		finish(2, false)
		finish(3, false)
		state(Halted, 1)
		quiet(4)
		if _, err := h.Resume(ctx, editor, space, c.ID); err != nil {
			t.Fatal(err)
		}
		h.settle()
		state(Running, 2)
		h.pass(50 * time.Minute)
		h.tick()
		finish(4, true)
		if now, err := h.CancelCampaign(ctx, editor, space, c.ID); err != nil || now.State != Stopped {
			t.Errorf("%+v, %v", now, err)
		}
		_, tallies, err := h.Campaign(ctx, editor, space, c.ID)
		text := fmt.Sprint(tallies)
		if err != nil || text != "[{0 failed otadownloadfail 1} {0 succeeded  1} {1 failed otadownloadfail 2} {2 cancelled  1} {2 succeeded  1}]" {
			t.Errorf("%s, %v", text, err)
		}
		if text := h.actions(c.ID); text != "ota:create ota:halt ota:resume ota:cancel" {
			t.Errorf("the journal says %s", text)
		}
		for what, err := range map[string]error{"cancel": second(h.CancelCampaign(ctx, editor, space, c.ID)), "resume": second(h.Resume(ctx, editor, space, c.ID))} {
			if err != ErrCampaignOver {
				t.Errorf("%s what is over: %v", what, err)
			}
		}
		if all, err := h.Campaigns(ctx, editor, space); err != nil || len(all) != 1 {
			t.Errorf("%v, %v", all, err)
		}
		for what, w := range map[string]Wish{"nobody": {Image: i.ID}, "a tag that none has": {Image: i.ID, Tags: []device.Tag{{Key: "a", Value: "b"}}}, "101 percent": {Image: i.ID, Devices: ids, MaxFailed: 101}, "less than none": {Image: i.ID, Devices: ids, WaveSize: -1}} {
			if _, _, err := h.StartMany(ctx, editor, space, w); err == nil {
				t.Errorf("%s: started", what)
			}
		}
	})
}
