package ota

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/blob"
	"github.com/ardesia-iot/ardesia/internal/base/command"
	"github.com/ardesia-iot/ardesia/internal/base/otafile"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// start begins an update that must begin.
func (h *house) start(id string, i Image, t Terms) Update {
	h.t.Helper()
	u, err := h.Start(h.t.Context(), editor, space, id, i.ID, t)
	if err != nil {
		h.t.Fatal(err)
	}
	h.settle()
	return u
}

func TestDeviceIsUpdated(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		before, after := program(1, 3000), program(2, 200_000)
		board, i := h.board(editor, device.Device{}), h.upload(editor, after, nano)
		s := h.connect(board)
		s.begin(before)
		h.settle()
		if _, ok := s.got(); ok {
			t.Fatal("nobody started an update")
		}
		u := h.start(board, i, Terms{Retries: -1})
		offered := s.offer()
		if h.status(u.ID) != "in_progress" || offered.FinalSHA != i.ImageSHA || offered.InitialSHA == [32]byte{} {
			t.Fatalf("%s, offered %+v", h.status(u.ID), offered)
		}
		if _, err := h.Start(ctx, editor, space, board, i.ID, Terms{}); !errors.Is(err, ErrRunning) {
			t.Errorf("a second update: %v", err)
		}
		s.progress(offered, command.OtaAvailable, 0)
		s.progress(offered, command.OtaStart, 0)
		s.progress(offered, command.OtaFetch, 0)
		file, err := h.download(offered, Credential{})
		if err != nil || !bytes.Equal(file, encoded(t, after, nano)) {
			t.Fatalf("%d bytes, %v", len(file), err)
		}
		s.progress(offered, command.OtaFetch, int32(len(file))+5) // one byte more than there is, and four
		s.progress(offered, command.OtaFlash, 0)
		s.progress(offered, command.OtaReboot, 0)
		h.settle()
		h.pass(time.Minute)
		s.leave()
		s = h.connect(board)
		s.begin(after)
		h.settle()
		got, lines, err := h.Get(ctx, editor, space, u.ID)
		if err != nil || got.Status != Succeeded || got.Fetched != i.FileBytes || !got.EndedAt.Equal(h.clock()) || !got.StartedAt.Equal(noon) || got.Version != 2 {
			t.Errorf("%+v, %v", got, err)
		}
		var course []string
		for _, l := range lines {
			if course = append(course, l.State); l.Data > i.FileBytes {
				t.Errorf("%d bytes of %d", l.Data, i.FileBytes)
			}
		}
		if text := strings.Join(course, " "); text != "available start fetch fetch flash reboot" {
			t.Errorf("the course was %s", text)
		}
		if _, err := h.download(offered, Credential{}); !errors.Is(err, ErrNoFile) {
			t.Errorf("the file is still there: %v", err)
		}
		if text := h.actions(u.ID); text != "ota:create ota:end" {
			t.Errorf("the journal says %s", text)
		}
		if c := h.Counts(); c.Begun != 1 || c.Succeeded != 1 || c.Failed != 0 {
			t.Errorf("%+v", c)
		}
		if _, ok := s.got(); ok {
			t.Error("it is told once more")
		}
		// What runs already needs no download.
		u = h.start(board, i, Terms{})
		if _, ok := s.got(); ok || h.status(u.ID) != "succeeded" {
			t.Errorf("the same once more: told %v, %s", ok, h.status(u.ID))
		}
	})
}

// What a device says leads to what people read, by name.
func TestHowUpdatesEnd(t *testing.T) {
	before, after, other := program(1, 100), program(2, 100), program(3, 100)
	h := liteHouse(t)
	i := h.upload(editor, after, nano)
	for name, c := range map[string]struct {
		states []command.OtaState
		code   int32  // of OtaFail
		runs   []byte // after a start; nil: it does not start
		want   string
	}{
		"the old image":                 {[]command.OtaState{command.OtaAvailable, command.OtaReboot}, 0, before, "failed sha256mismatch"},
		"another image":                 {[]command.OtaState{command.OtaAvailable, command.OtaReboot}, 0, other, "failed sha256unknown"},
		"the new one, unannounced":      {[]command.OtaState{command.OtaAvailable, command.OtaFlash}, 0, after, "succeeded"},
		"the new one without a word":    {nil, 0, after, "succeeded"},
		"no power while fetching":       {[]command.OtaState{command.OtaAvailable, command.OtaFetch}, 0, before, "failed interrupted"},
		"no power while flashing":       {[]command.OtaState{command.OtaAvailable, command.OtaFlash}, 0, before, "failed interrupted"},
		"no download":                   {[]command.OtaState{command.OtaAvailable, command.OtaFail}, -12, nil, "failed otadownloadfail"},
		"a bad checksum":                {[]command.OtaState{command.OtaFail}, -6, nil, "failed otaheadercrcfail"},
		"no place":                      {[]command.OtaState{command.OtaFail}, -3, nil, "failed otastorageinitfail"},
		"no server":                     {[]command.OtaState{command.OtaFail}, -10, nil, "failed serverconnecterrorfail"},
		"a file that cannot be written": {[]command.OtaState{command.OtaFail}, -20, nil, "failed errorwriteupdatefilefail"},
		"the last code":                 {[]command.OtaState{command.OtaFail}, -25, nil, "failed castorageopenfail"},
		"a code of the future":          {[]command.OtaState{command.OtaFail}, -26, nil, "failed unknownfail"},
		"no code at all":                {[]command.OtaState{command.OtaFail}, 3, nil, "failed unknownfail"},
		"not capable":                   {[]command.OtaState{command.OtaUnavailable}, 0, nil, "failed nocapablebootloaderfail"},
		"states that nobody tells":      {[]command.OtaState{command.OtaIdle, command.OtaResume, command.OtaStarted}, 0, nil, "in_progress"},
	} {
		board := h.board(editor, device.Device{Name: name})
		s := h.connect(board)
		s.begin(before)
		h.settle()
		u := h.start(board, i, Terms{})
		offered := s.offer()
		for _, state := range c.states {
			s.progress(offered, state, c.code)
		}
		if c.runs != nil {
			s.leave()
			s = h.connect(board)
			s.begin(c.runs)
		}
		h.settle()
		if got := h.status(u.ID); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
		if strings.HasPrefix(c.want, "failed") {
			_, lines, err := h.Get(t.Context(), editor, space, u.ID)
			if err != nil || "failed "+lines[len(lines)-1].State != c.want {
				t.Errorf("%s: it ends with %+v, %v", name, lines, err)
			}
			// It can be tried anew.
			h.start(board, i, Terms{})
			if again := s.offer(); again.URL == offered.URL {
				t.Errorf("%s: the same address twice", name)
			}
		}
	}
}

func TestInterruptedUpdatesAreBegunAgain(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		before, after := program(1, 100), program(2, 100)
		board, i := h.board(editor, device.Device{}), h.upload(editor, after, nano)
		s := h.connect(board)
		s.begin(before)
		h.settle()
		u := h.start(board, i, Terms{Retries: 1})
		first := s.offer()
		// The message was lost: asking for the thing again is enough.
		s.say(command.ThingBegin{})
		h.settle()
		if _, ok := s.got(); ok {
			t.Error("it is told twice at once")
		}
		h.pass(resendAfter)
		s.say(command.ThingBegin{})
		h.settle()
		if again := s.offer(); again != first {
			t.Errorf("told %+v, and then %+v", first, again)
		}
		s.progress(first, command.OtaFetch, 10)
		h.settle()
		// A lost connection changes nothing, and the board goes on.
		s.leave()
		s = h.connect(board)
		s.say(command.DeviceBegin{Version: "2.9.0"}, command.ThingBegin{})
		h.settle()
		if _, ok := s.got(); ok {
			t.Error("it is told although it knows")
		}
		s.progress(first, command.OtaFetch, 20)
		s.leave()
		s = h.connect(board) // after a power cut
		s.begin(before)
		h.settle()
		second := s.offer()
		if second.URL == first.URL || second.ID != first.ID {
			t.Errorf("told %+v, and then %+v", first, second)
		}
		if _, err := h.download(first, Credential{}); !errors.Is(err, ErrNoFile) {
			t.Errorf("the address of the first attempt: %v", err)
		}
		if _, err := h.download(second, Credential{}); err != nil {
			t.Errorf("the address of the second attempt: %v", err)
		}
		s.progress(second, command.OtaFetch, 10)
		s.leave()
		s = h.connect(board)
		s.begin(before)
		h.settle()
		if got := h.status(u.ID); got != "failed interrupted" {
			t.Errorf("after the second power cut: %s", got)
		}
		if got, _, err := h.Get(t.Context(), editor, space, u.ID); err != nil || got.Attempt != 1 || got.MaxRetries != 1 {
			t.Errorf("%+v, %v", got, err)
		}
	})
}

func TestTimes(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		before, after := program(1, 100), program(2, 100)
		i := h.upload(editor, after, nano)
		boards := map[string]*session{}
		updates := map[string]Update{}
		for name, terms := range map[string]Terms{
			"waits":     {StartAt: noon.Add(time.Hour), Life: 30 * time.Minute},
			"silent":    {Life: 5 * time.Minute},
			"undecided": {Life: 5 * time.Minute},
			"stuck":     {Life: 5 * time.Minute},
		} {
			board := h.board(editor, device.Device{Name: name})
			boards[name] = h.connect(board)
			boards[name].begin(before)
			h.settle()
			updates[name] = h.start(board, i, terms)
		}
		away := h.board(editor, device.Device{Name: "away"})
		updates["away"] = h.start(away, i, Terms{Life: 2 * time.Hour})
		late := h.board(editor, device.Device{Name: "late"})
		updates["late"] = h.start(late, i, Terms{Life: time.Hour})
		if _, ok := boards["waits"].got(); ok {
			t.Fatal("it is told before its time")
		}
		boards["silent"].offer()
		boards["undecided"].progress(boards["undecided"].offer(), command.OtaAvailable, 0)
		boards["stuck"].progress(boards["stuck"].offer(), command.OtaFetch, 7)
		h.settle()
		check := func(when string, want map[string]string) {
			t.Helper()
			h.tick()
			for name, w := range want {
				if got := h.status(updates[name].ID); got != w {
					t.Errorf("%s: %s is %s, want %s", when, name, got, w)
				}
			}
		}
		h.pass(5 * time.Minute)
		check("after 5 minutes", map[string]string{"waits": "pending", "silent": "expired", "undecided": "expired", "stuck": "in_progress", "away": "pending"})
		h.pass(25 * time.Minute)
		check("after half an hour", map[string]string{"waits": "pending", "stuck": "failed noanswer", "away": "pending"})
		h.pass(30 * time.Minute)
		check("after an hour", map[string]string{"waits": "in_progress", "late": "expired"})
		boards["waits"].offer()
		s := h.connect(away)
		s.begin(before)
		h.settle()
		s.offer()
		h.pass(2 * time.Hour)
		check("in the end", map[string]string{"waits": "expired", "away": "expired"})
		for name, terms := range map[string]Terms{"too short": {Life: time.Second}, "too long": {Life: 31 * 24 * time.Hour}, "too far": {StartAt: noon.Add(2 * 365 * 24 * time.Hour)}, "too often": {Retries: 11}} {
			if _, err := h.Start(t.Context(), editor, space, away, i.ID, terms); !errors.Is(err, ErrInvalid) {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

func TestFirstGeneration(t *testing.T) {
	before, after, other := program(1, 100), program(2, 100), program(3, 100)
	eachHouse(t, func(t *testing.T, h *house) {
		i := h.upload(editor, after, nano)
		for name, c := range map[string]struct {
			then func(s *session, url string)
			want string
		}{
			"it works": {func(s *session, url string) {
				s.tell(senml.Record{Name: "OTA_URL", Kind: senml.Text, Text: url})
				s.tell(senml.Record{Name: "OTA_REQ", Kind: senml.Bool})
				s.first(after, 0)
			}, "succeeded"},
			"it waits for somebody": {func(s *session, url string) {
				s.tell(senml.Record{Name: "OTA_URL", Kind: senml.Text, Text: url})
			}, "in_progress"},
			"the download fails": {func(s *session, url string) {
				s.tell(senml.Record{Name: "OTA_REQ", Kind: senml.Bool})
				s.tell(senml.Record{Name: "OTA_ERROR", Kind: senml.Int, Int: 1})
			}, "failed otadownloadfail"},
			"a board's own code, told at the next connect": {func(s *session, url string) {
				s.tell(senml.Record{Name: "OTA_REQ", Kind: senml.Bool})
				s.first(before, -103)
			}, "failed otaerror-103"},
			"the power goes": {func(s *session, url string) {
				s.tell(senml.Record{Name: "OTA_REQ", Kind: senml.Bool})
				s.first(before, 0)
			}, "failed interrupted"},
			"another image": {func(s *session, url string) {
				s.tell(senml.Record{Name: "OTA_REQ", Kind: senml.Bool})
				s.first(other, 0)
			}, "failed sha256unknown"},
		} {
			board := h.board(editor, device.Device{Name: name})
			s := h.connect(board)
			s.first(before, 0)
			h.settle()
			s.got()
			u := h.start(board, i, Terms{})
			if u.Version != 1 {
				t.Errorf("%s: version %d", name, u.Version)
			}
			url := ""
			for len(s.box) > 0 {
				records, err := senml.Decode((<-s.box).payload)
				if err != nil || len(records) != 2 {
					continue
				}
				if records[0].Name == "OTA_URL" && records[1].Name == "OTA_REQ" && records[1].Kind == senml.Bool && records[1].Int == 1 {
					url = records[0].Text
				}
			}
			if _, err := h.download(command.OtaUpdate{URL: url}, Credential{}); err != nil {
				t.Errorf("%s: %v", name, err)
			}
			c.then(s, url)
			h.settle()
			if got := h.status(u.ID); got != c.want {
				t.Errorf("%s: %s, want %s", name, got, c.want)
			}
		}
	})
}

func TestWhoCanBeUpdatedWithWhat(t *testing.T) {
	h := liteHouse(t)
	ctx := t.Context()
	i, esp := h.upload(editor, program(1, 100), nano), h.upload(editor, program(1, 100), otafile.ESP32)
	theirs := h.upload(stranger, program(1, 100), nano)
	board := h.board(editor, device.Device{})
	for name, c := range map[string]struct {
		who    access.Actor
		device device.Device
		image  Image
		want   error
	}{
		"its own":                          {editor, device.Device{}, i, nil},
		"of another board":                 {editor, device.Device{}, esp, ErrOtherBoard},
		"an ESP32":                         {editor, device.Device{Type: "login_and_secretkey_wifi", FQBN: "esp32:esp32:esp32"}, esp, nil},
		"an ESP32 with an image of a Nano": {editor, device.Device{Type: "login_and_secretkey_wifi", FQBN: "esp32:esp32:esp32"}, i, ErrOtherBoard},
		"a board that nobody knows":        {editor, device.Device{Type: "login_and_secretkey_wifi"}, esp, nil},
		"an ESP8266":                       {editor, device.Device{Type: "login_and_secretkey_wifi", FQBN: "esp8266:esp8266:generic"}, esp, ErrIncapable},
		"an MKR1000":                       {editor, device.Device{Type: "mkr1000"}, i, ErrIncapable},
		"a phone":                          {editor, device.Device{Type: "phone"}, i, ErrIncapable},
		"an image of somebody else":        {editor, device.Device{}, theirs, ErrImageNotFound},
		"a device of somebody else":        {stranger, device.Device{}, theirs, device.ErrNotFound},
	} {
		c.device.Name = name
		id := h.board(editor, c.device)
		if _, err := h.Start(ctx, c.who, c.who.Space, id, c.image.ID, Terms{}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", name, err, c.want)
		}
	}
	// Whoever may not name the space gets nothing of it.
	for what, err := range map[string]error{
		"start": second(h.Start(ctx, stranger, space, board, i.ID, Terms{})), "list": second(h.List(ctx, stranger, Filter{Space: space})), "images": second(h.Images(ctx, stranger, space)),
		"campaigns": second(h.Campaigns(ctx, stranger, space)), "cancel": second(h.Cancel(ctx, stranger, space, "x")), "upload": second(h.Upload(ctx, stranger, space, "", false, nil)),
		"erase": h.EraseSpace(ctx, editor, space), "delete": h.DeleteImage(ctx, stranger, space, i.ID), "resume": second(h.Resume(ctx, stranger, space, "x")), "end": second(h.CancelCampaign(ctx, stranger, space, "x")),
	} {
		if !errors.Is(err, access.ErrDenied) {
			t.Errorf("%s: %v", what, err)
		}
	}
	// Nor does a device that reports of another's update.
	s, thief := h.connect(board), h.connect(h.board(editor, device.Device{Name: "thief"}))
	for _, one := range []*session{s, thief} {
		one.begin(program(9, 10))
	}
	h.settle()
	u := h.start(board, i, Terms{})
	offered := s.offer()
	thief.progress(offered, command.OtaFail, -12)
	h.settle()
	if got := h.status(u.ID); got != "in_progress" {
		t.Errorf("after another device reported: %s", got)
	}
	// The address is the device's.
	for what, c := range map[string]struct {
		id, secret string
		want       error
	}{
		"no credentials": {"", "", nil}, "its own": {board, password, nil}, "another secret": {board, "wrong", ErrBoard}, "another device": {thief.x.Device, password, ErrBoard},
	} {
		if _, err := h.download(offered, Credential{c.id, c.secret}); !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want %v", what, err, c.want)
		}
	}
	token := strings.TrimPrefix(offered.URL, "https://ardesia.example.org/ota/")
	for i := range token {
		b := []byte(token)
		if b[i]++; b[i] == token[i] {
			continue
		}
		if _, err := h.File(ctx, string(b), Credential{}); !errors.Is(err, ErrNoFile) && !(i == len(token)-1) {
			t.Fatalf("with another character %d: %v", i, err)
		}
	}
	for _, bad := range []string{"", "x", token[:42], token + "A", strings.Repeat("A", 43)} {
		if _, err := h.File(ctx, bad, Credential{}); !errors.Is(err, ErrNoFile) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if _, err := h.Cancel(ctx, editor, space, u.ID); err != nil {
		t.Fatal(err)
	}
	if _, err := h.download(offered, Credential{}); !errors.Is(err, ErrNoFile) {
		t.Errorf("a cancelled update has its file: %v", err)
	}
	if _, err := h.Cancel(ctx, editor, space, u.ID); !errors.Is(err, ErrOver) {
		t.Errorf("cancelled twice: %v", err)
	}
	s.progress(offered, command.OtaReboot, 0)
	s.begin(program(1, 100))
	h.settle()
	if got := h.status(u.ID); got != "cancelled" {
		t.Errorf("what is over is over: %s", got)
	}
}

func second[T any](_ T, err error) error { return err }

func TestImages(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		image := program(1, 300_000) // more than one part, and more than one transaction of them
		file := encoded(t, image, nano)
		i, err := h.Upload(ctx, editor, space, "firmware", false, bytes.NewReader(file))
		if err != nil || i.Magic != nano || i.ImageBytes != int64(len(image)) || i.Name != "firmware" {
			t.Fatalf("%+v, %v", i, err)
		}
		again, err := h.Upload(ctx, editor, space, "another name", true, bytes.NewReader(file))
		if err != nil || again.ID != i.ID || !again.Lasting || again.Name != "firmware" {
			t.Errorf("the same file once more is %+v, %v", again, err)
		}
		if n, err := h.Count(ctx, space); err != nil || n != int64(len(file)) {
			t.Errorf("%d bytes are stored, %v, want %d", n, err, len(file))
		}
		bad := bytes.Clone(file)
		bad[1000] ^= 1
		for what, c := range map[string]struct {
			file []byte
			want error
		}{"a damaged file": {bad, otafile.ErrCRC}, "half a file": {file[:1000], otafile.ErrLength}, "no file": {nil, otafile.ErrFile}, "a picture": {bytes.Repeat([]byte("png"), 100), otafile.ErrVersion}} {
			if _, err := h.Upload(ctx, editor, space, "", true, bytes.NewReader(c.file)); !errors.Is(err, c.want) {
				t.Errorf("%s: %v, want %v", what, err, c.want)
			}
		}
		if n, err := h.Count(ctx, space); err != nil || n != int64(len(file)) {
			t.Errorf("after what was refused %d bytes are stored, %v", n, err)
		}
		h.room = int64(len(file)) + 100
		if _, err := h.Upload(ctx, editor, space, "", true, bytes.NewReader(encoded(t, program(2, 5000), nano))); !errors.Is(err, ErrStorage) {
			t.Errorf("more than there is room for: %v", err)
		}
		h.room = 10
		if _, err := h.Upload(ctx, editor, space, "", true, bytes.NewReader(file)); !errors.Is(err, ErrStorage) {
			t.Errorf("where there is no room: %v", err)
		}
		h.room = 0
		board := h.board(editor, device.Device{})
		u := h.start(board, i, Terms{})
		if err := h.DeleteImage(ctx, editor, space, i.ID); !errors.Is(err, ErrImageUsed) {
			t.Errorf("an image that is used is deleted: %v", err)
		}
		if _, err := h.Cancel(ctx, editor, space, u.ID); err != nil {
			t.Fatal(err)
		}
		if err := h.DeleteImage(ctx, editor, space, i.ID); err != nil {
			t.Fatal(err)
		}
		if n, err := h.Count(ctx, space); err != nil || n != 0 {
			t.Errorf("after it was deleted %d bytes are stored, %v", n, err)
		}
		if text := h.actions(i.ID); text != "ota:upload ota:delete" {
			t.Errorf("the journal says %s", text)
		}
		// One that nobody needs goes by itself; one that somebody keeps does not.
		short, err := h.Upload(ctx, editor, space, "", false, bytes.NewReader(encoded(t, program(3, 50), nano)))
		if err != nil {
			t.Fatal(err)
		}
		kept := h.upload(editor, program(4, 50), nano)
		stray, err := h.blobs.Put(ctx, space, strings.NewReader("nobody's"), 100)
		if err != nil {
			t.Fatal(err)
		}
		h.pass(unneeded + time.Hour)
		if err := h.sweep(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := h.Image(ctx, editor, space, short.ID); !errors.Is(err, ErrImageNotFound) {
			t.Errorf("it is still there: %v", err)
		}
		if _, err := h.Image(ctx, editor, space, kept.ID); err != nil {
			t.Errorf("what is kept: %v", err)
		}
		if _, err := h.blobs.Open(ctx, space, stray.ID); !errors.Is(err, blob.ErrNotFound) {
			t.Errorf("nobody's file: %v", err)
		}
	})
}

func TestErasure(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		i, theirs := h.upload(editor, program(1, 100), nano), h.upload(stranger, program(1, 100), nano)
		a, b := h.board(editor, device.Device{Name: "a"}), h.board(editor, device.Device{Name: "b"})
		other := h.board(stranger, device.Device{Name: "c"})
		u := h.start(a, i, Terms{})
		h.start(b, i, Terms{})
		if _, err := h.Start(ctx, stranger, otherSpace, other, theirs.ID, Terms{}); err != nil {
			t.Fatal(err)
		}
		if err := h.devices.Delete(ctx, editor, space, a, true); err != nil {
			t.Fatal(err)
		}
		if err := h.Repair(ctx, h.devices.Living); err != nil {
			t.Fatal(err)
		}
		if _, _, err := h.Get(ctx, editor, space, u.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("the update of a device that went: %v", err)
		}
		for range 2 {
			if err := h.EraseSpace(ctx, system, space); err != nil {
				t.Fatal(err)
			}
		}
		if text := h.actions(space); text != "ota:erase" {
			t.Errorf("the journal says %s", text)
		}
		all, err := h.List(ctx, editor, Filter{Space: space})
		images, err2 := h.Images(ctx, editor, space)
		n, err3 := h.Count(ctx, space)
		if err := errors.Join(err, err2, err3); err != nil || len(all)+len(images)+int(n) != 0 {
			t.Errorf("%v %v %d, %v", all, images, n, err)
		}
		all, err = h.List(ctx, stranger, Filter{Space: otherSpace})
		if err != nil || len(all) != 1 {
			t.Errorf("of another space: %v, %v", all, err)
		}
	})
}

// Old updates of a device go; the last ones stay.
func TestHistoryIsBounded(t *testing.T) {
	h := liteHouse(t)
	i := h.upload(editor, program(1, 100), nano)
	board := h.board(editor, device.Device{})
	for range keepUpdates + 5 {
		u := h.start(board, i, Terms{})
		if _, err := h.Cancel(context.WithoutCancel(t.Context()), editor, space, u.ID); err != nil {
			t.Fatal(err)
		}
		h.pass(time.Second)
	}
	all, err := h.List(t.Context(), editor, Filter{Space: space, Device: board})
	if err != nil || len(all) < keepUpdates || len(all) > keepUpdates+1 {
		t.Errorf("%d updates are kept, %v", len(all), err)
	}
	// A device that tells its states in circles fills nothing.
	s := h.connect(board)
	s.begin(program(9, 9))
	h.settle()
	u := h.start(board, i, Terms{})
	offered := s.offer()
	for range 400 {
		s.progress(offered, command.OtaFetch, 1)
		s.progress(offered, command.OtaFlash, 1)
	}
	s.progress(offered, command.OtaFail, -12)
	h.settle()
	_, lines, err := h.Get(t.Context(), editor, space, u.ID)
	if err != nil || len(lines) > maxLines+60 || lines[len(lines)-1].State != "otadownloadfail" {
		t.Errorf("%d steps, %v", len(lines), err)
	}
}
