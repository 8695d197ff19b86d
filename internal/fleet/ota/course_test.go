package ota

import (
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/command"
)

// Whatever a device says, in whatever order and at whatever time: an update ends once, succeeds only when the new image
// runs, never has more bytes than its file, and its steps are numbered and bounded.
func FuzzCourse(f *testing.F) {
	f.Add(true, uint8(1), []byte{0x01, 0x13, 0x14, 0x15, 0x16, 0x17, 0x22})
	f.Add(true, uint8(0), []byte{0x01, 0x15, 0x20, 0x01, 0x15, 0x21, 0x18})
	f.Add(false, uint8(2), []byte{0x01, 0x31, 0x30, 0x22, 0x40, 0x33, 0x50})
	f.Fuzz(func(t *testing.T, known bool, retries uint8, script []byte) {
		before, after, other := [32]byte{1}, [32]byte{2}, [32]byte{3}
		u := Update{Status: Pending, Bytes: 100, Final: after, MaxRetries: int(retries % 4), CreatedAt: noon, ExpiresAt: noon.Add(time.Hour)}
		at := noon
		var all []Line
		for _, b := range script {
			was := u
			var news []Line
			arg, ranNew := b&0x0f, false
			sha := [][32]byte{before, other, after}[arg%3]
			switch b >> 4 {
			case 0:
				if u.sendable(at) {
					from := [32]byte{}
					if known {
						from = before
					}
					u.sent(from, 2, at)
				}
			case 1:
				u.reported(command.OtaState(arg), int32(arg)*20-40, at, &news)
			case 2:
				u.runs(sha, at, &news)
				ranNew = sha == after
			case 3:
				yes, url, code := arg&1 == 1, "x", int64(arg)-8
				told := []Told{{URL: &url}, {Request: &yes}, {Error: &code}, {SHA: &sha, Error: &code, Capable: &yes}}[arg%4]
				u.told(told, at, &news)
				ranNew = told.SHA != nil && sha == after
			case 4:
				at = at.Add(time.Duration(arg) * 5 * time.Minute)
				u.late(at, &news)
			default:
				u.release(at)
			}
			if was.Status.Over() && (u.Status != was.Status || u.Error != was.Error || u.EndedAt != was.EndedAt || len(news) > 0) {
				t.Fatalf("it was over as %+v, and is now %+v", was, u)
			}
			if u.Status == Succeeded && was.Status != Succeeded && !ranNew {
				t.Fatalf("it succeeded by %#x", b)
			}
			if u.Fetched < 0 || u.Fetched > u.Bytes || u.Attempt > u.MaxRetries || (u.Status == Failed) != (u.Error != "") || u.Status.Over() == u.EndedAt.IsZero() {
				t.Fatalf("%+v", u)
			}
			all = append(all, news...)
		}
		if len(all) != u.lines || len(all) > maxLines+60 {
			t.Fatalf("%d steps, and %d are counted", len(all), u.lines)
		}
		for i, l := range all {
			if l.Number != i+1 || l.State == "" {
				t.Fatalf("step %d is %+v", i, l)
			}
		}
	})
}
