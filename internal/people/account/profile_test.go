package account

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// hand is a clock that a test moves.
type hand struct{ now time.Time }

func (h *hand) Now() time.Time          { return h.now }
func (h *hand) Pass(d time.Duration)    { h.now = h.now.Add(d) }
func self(u User) access.Actor          { return access.Actor{Kind: access.User, ID: u.ID} }
func clock() *hand                      { return &hand{time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)} }
func add(t *testing.T, s *Service) User { t.Helper(); return addAs(t, s, "anna@example.org") }

func addAs(t *testing.T, s *Service, email string) User {
	t.Helper()
	u, err := s.Add(t.Context(), system, email, "Anna", good)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func timed(t *testing.T, d *db.DB, h *hand) *Service {
	t.Helper()
	s := service(t, d, nil)
	s.needs.Now = h.Now
	return s
}

func TestProfileIsKeptSealed(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), service(t, d, nil)
		anna, berta := add(t, s), addAs(t, s, "berta@example.org")
		if got, err := s.Profile(ctx, anna.ID); err != nil || got != (Profile{}) {
			t.Errorf("before: %+v, %v, want nothing", got, err)
		}
		want := Profile{Username: "Anna.B", Phone: "+39 011 123-456", Lang: "it", Shipping: Address{Name: "Anna", Street: "Via Roma 1", City: "Torino", Country: "Italia"}}
		if err := s.SetProfile(ctx, self(anna), anna.ID, " Anna Bianchi ", want); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Profile(ctx, anna.ID); err != nil || got != want {
			t.Errorf("Profile = %+v, %v, want %+v", got, err, want)
		}
		if u, err := s.Get(ctx, anna.ID); err != nil || u.Name != "Anna Bianchi" {
			t.Errorf("the name is %q, %v", u.Name, err)
		}
		sealed, err := s.needs.Store.profile(ctx, anna.ID)
		if err != nil || len(sealed) == 0 || bytes.Contains(sealed, []byte("Torino")) {
			t.Errorf("the profile is kept in clear: %q, %v", sealed, err)
		}
		for name, want := range map[string]error{"anna.b": nil, "ANNA.B": nil, "anna": ErrNotFound, "": ErrNotFound, "anna@example.org": ErrNotFound} {
			if id, err := s.Named(ctx, name); !errors.Is(err, want) || err == nil && id == "" {
				t.Errorf("Named(%q) = %q, %v, want %v", name, id, err, want)
			}
		}
		if err := s.SetProfile(ctx, self(berta), berta.ID, "Berta", Profile{Username: "anna.b"}); !errors.Is(err, ErrUsernameTaken) {
			t.Errorf("the same user name in other letters: %v, want %v", err, ErrUsernameTaken)
		}
		if u, _ := s.Get(ctx, berta.ID); u.Name != "Anna" {
			t.Errorf("a refused profile changed the name to %q", u.Name)
		}
		for range 2 { // without user name there may be many
			if err := errors.Join(s.SetProfile(ctx, self(berta), berta.ID, "Berta", Profile{}), s.SetProfile(ctx, self(anna), anna.ID, "Anna", Profile{})); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestProfilesThatAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		p    Profile
		want error
	}{
		"user name with a space":   {Profile{Username: "anna b"}, ErrUsername},
		"user name of one letter":  {Profile{Username: "a"}, ErrUsername},
		"user name that is markup": {Profile{Username: "<script>"}, ErrUsername},
		"letters for a telephone":  {Profile{Phone: "call me"}, ErrPhone},
		"a line break":             {Profile{Billing: Address{City: "To\nrino"}}, ErrField},
		"too long":                 {Profile{Shipping: Address{Street: strings.Repeat("è", 129)}}, ErrField},
		"not UTF-8":                {Profile{Shipping: Address{Street: "\xff"}}, ErrField},
		"a language of three":      {Profile{Lang: "ita"}, ErrField},
		"spaces around":            {Profile{Phone: " 0111 "}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			if _, got := c.p.trimmed(); !errors.Is(got, c.want) {
				t.Errorf("trimmed = %v, want %v", got, c.want)
			}
		})
	}
}

// pictures are what people upload.
func pictures(t testing.TB) map[string][]byte {
	wide := image.NewNRGBA(image.Rect(0, 0, 600, 300))
	for x := range 600 {
		for y := range 300 {
			wide.Set(x, y, color.NRGBA{uint8(x), uint8(y), 80, 255})
		}
	}
	all := map[string][]byte{}
	var b bytes.Buffer
	for name, write := range map[string]func() error{
		"png":   func() error { return png.Encode(&b, wide) },
		"jpeg":  func() error { return jpeg.Encode(&b, wide, nil) },
		"gif":   func() error { return gif.Encode(&b, wide, nil) },
		"clear": func() error { return png.Encode(&b, image.NewNRGBA(image.Rect(0, 0, 3, 7))) },
	} {
		b.Reset()
		if err := write(); err != nil {
			t.Fatal(err)
		}
		all[name] = bytes.Clone(b.Bytes())
	}
	return all
}

func TestPictureIsMadeAnew(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), service(t, d, nil)
		u := add(t, s)
		for name, upload := range pictures(t) {
			upload = append(upload, "GPS 45.07 7.68"...) // as a camera may leave it
			if err := s.SetPicture(ctx, self(u), u.ID, upload); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got, media, err := s.Picture(ctx, u.ID)
			if err != nil {
				t.Fatal(err)
			}
			size, kind, err := image.DecodeConfig(bytes.NewReader(got))
			if err != nil || size.Width != side || size.Height != side || media != "image/"+kind {
				t.Errorf("%s: %+v, %s, %s, %v", name, size, kind, media, err)
			}
			if bytes.Contains(got, []byte("GPS")) {
				t.Errorf("%s: what was behind the picture is still there", name)
			}
		}
		if err := s.SetPicture(ctx, self(u), u.ID, nil); err != nil {
			t.Fatal(err)
		}
		if got, _, err := s.Picture(ctx, u.ID); err != nil || got != nil {
			t.Errorf("a removed picture: %d bytes, %v", len(got), err)
		}
	})
}

func TestPicturesThatAreRefused(t *testing.T) {
	for name, upload := range map[string][]byte{
		"nothing":         {},
		"a vector image":  []byte(`<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`),
		"half a picture":  pictures(t)["png"][:60],
		"too many bytes":  append(pictures(t)["png"], make([]byte, MaxPicture)...),
		"too many pixels": append([]byte("GIF89a\xff\xff\xff\xff\x00\x00\x00"), 0x3b),
	} {
		if _, err := paint(upload); !errors.Is(err, ErrPicture) {
			t.Errorf("%s: %v, want %v", name, err, ErrPicture)
		}
	}
}

// Whatever is uploaded, paint refuses it or makes a picture of our own size.
func FuzzPaint(f *testing.F) {
	for _, upload := range pictures(f) {
		f.Add(upload)
	}
	f.Add([]byte("GIF89a\xff\xff\xff\xff\x00\x00\x00;"))
	f.Fuzz(func(t *testing.T, upload []byte) {
		if size, _, err := image.DecodeConfig(bytes.NewReader(upload)); err == nil && size.Width*size.Height > 1<<20 {
			return // within the bounds, and too slow for this test
		}
		made, err := paint(upload)
		if err != nil {
			if !errors.Is(err, ErrPicture) || made != nil {
				t.Fatalf("refused with %v and %d bytes", err, len(made))
			}
			return
		}
		if size, _, err := image.DecodeConfig(bytes.NewReader(made)); err != nil || size.Width != side || size.Height != side {
			t.Fatalf("made %+v, %v", size, err)
		}
	})
}

func TestSignUpDoesTheSameForATakenAddress(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), service(t, d, nil)
		u, err := s.SignUp(ctx, "anna@example.org", "Anna", good)
		if err != nil || u.Verified() {
			t.Fatalf("SignUp = %+v, %v, want an account whose address is not proved", u, err)
		}
		again, err := s.SignUp(ctx, "ANNA@example.org", "Mallory", good+" again")
		if !errors.Is(err, ErrTaken) || again.ID != u.ID || again.Name != "Anna" {
			t.Errorf("the same address again: %+v, %v, want the first and %v", again, err, ErrTaken)
		}
		if _, err := s.Verify(ctx, "anna@example.org", good); err != nil {
			t.Errorf("the first password: %v", err)
		}
		if err := s.Prove(ctx, self(u), u.ID); err != nil {
			t.Fatal(err)
		}
		if got, _ := s.Get(ctx, u.ID); !got.Verified() {
			t.Error("a proved address is not proved")
		}
	})
}

func TestBreachedPasswordsAreRefused(t *testing.T) {
	d := dbtest.Open(t, dbtest.Config(t, db.SQLite, dbtest.Core))
	s := service(t, d, nil)
	s.needs.Breached = func(p string) bool { return p == good }
	if _, err := s.SignUp(t.Context(), "anna@example.org", "Anna", good); !errors.Is(err, ErrBreached) {
		t.Errorf("SignUp = %v, want %v", err, ErrBreached)
	}
}

func TestLinksWorkOnceForTheirPurposeAndTime(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, h := t.Context(), clock()
		s := timed(t, d, h)
		u := add(t, s)
		invite := func(l Link) string {
			t.Helper()
			token, err := s.Invite(ctx, system, l)
			if err != nil {
				t.Fatal(err)
			}
			return token.Reveal()
		}
		want := Link{Purpose: LinkEmail, Account: u.ID, Text: "new@example.org"}
		token := invite(want)
		for range 2 { // looking does not use it up
			if got, err := s.Link(ctx, LinkEmail, token); err != nil || got != want {
				t.Errorf("Link = %+v, %v, want %+v", got, err, want)
			}
		}
		if _, err := s.Redeem(ctx, LinkReset, token); !errors.Is(err, ErrLink) {
			t.Errorf("for another purpose: %v, want %v", err, ErrLink)
		}
		if got, err := s.Redeem(ctx, LinkEmail, token); err != nil || got != want {
			t.Errorf("Redeem = %+v, %v, want %+v", got, err, want)
		}
		if _, err := s.Redeem(ctx, LinkEmail, token); !errors.Is(err, ErrLink) {
			t.Errorf("a second time: %v, want %v", err, ErrLink)
		}
		for p, rule := range purposes {
			l := Link{Purpose: p, Account: u.ID}
			if p == LinkSetup {
				l.Account = ""
			}
			late := invite(l)
			h.Pass(rule.lives - time.Second)
			if _, err := s.Link(ctx, p, late); err != nil {
				t.Errorf("%s just in time: %v", p, err)
			}
			h.Pass(time.Second)
			if _, err := s.Redeem(ctx, p, late); !errors.Is(err, ErrLink) {
				t.Errorf("%s too late: %v, want %v", p, err, ErrLink)
			}
			first := invite(l)
			for range rule.many {
				h.Pass(time.Second)
				invite(l)
			}
			if _, err := s.Link(ctx, p, first); !errors.Is(err, ErrLink) {
				t.Errorf("%s after %d more: %v, want %v", p, rule.many, err, ErrLink)
			}
			last := invite(l)
			h.Pass(time.Second)
			if err := s.Tidy(ctx); err != nil {
				t.Fatal(err)
			}
			if p == LinkSetup {
				continue
			}
			if err := s.SetPassword(ctx, system, u.ID, good+p.String()); err != nil {
				t.Fatal(err)
			}
			if _, err := s.Link(ctx, p, last); errors.Is(err, ErrLink) != rule.epoch {
				t.Errorf("%s after a new password: %v", p, err)
			}
		}
		for name, token := range map[string]string{"empty": "", "not base64": "%%%", "short": "AAAA", "never sent": strings.Repeat("A", 43)} {
			if _, err := s.Link(ctx, LinkReset, token); !errors.Is(err, ErrLink) {
				t.Errorf("%s: %v, want %v", name, err, ErrLink)
			}
		}
	})
}

func (p Purpose) String() string { return " for " + string(p) }

func TestAServerIsEmptyUntilItsFirstAccount(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		s := service(t, d, nil)
		for _, want := range []bool{true, false} {
			if got, err := s.Empty(t.Context()); err != nil || got != want {
				t.Errorf("Empty = %v, %v, want %v", got, err, want)
			}
			if want {
				add(t, s)
			}
		}
	})
}

func TestAFrozenAccountIsShutUntilItsPasswordIsNew(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), service(t, d, nil)
		u := add(t, s)
		_, before, _ := s.Standing(ctx, u.ID)
		if err := s.Freeze(ctx, self(u), u.ID); err != nil {
			t.Fatal(err)
		}
		if _, _, err := s.Standing(ctx, u.ID); !errors.Is(err, ErrFrozen) {
			t.Errorf("Standing = %v, want %v", err, ErrFrozen)
		}
		if _, err := s.Verify(ctx, u.Email, good); !errors.Is(err, ErrFrozen) {
			t.Errorf("the right password: %v, want %v", err, ErrFrozen)
		}
		if _, err := s.Verify(ctx, u.Email, "wrong"); !errors.Is(err, ErrCredentials) {
			t.Errorf("a wrong password: %v, want %v", err, ErrCredentials)
		}
		if _, err := s.Recover(ctx, self(u), u.ID, good+" anew", ""); err != nil {
			t.Fatal(err)
		}
		if _, after, err := s.Standing(ctx, u.ID); err != nil || after < before+2 {
			t.Errorf("after: epoch %d of %d, %v", after, before, err)
		}
	})
}

func TestAnotherAddressIsNobodyElses(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), service(t, d, nil)
		anna, berta := add(t, s), addAs(t, s, "berta@example.org")
		if err := s.CheckEmail(ctx, "Berta@example.org"); !errors.Is(err, ErrTaken) {
			t.Errorf("CheckEmail = %v, want %v", err, ErrTaken)
		}
		if err := s.SetEmail(ctx, self(anna), anna.ID, "BERTA@example.org"); !errors.Is(err, ErrTaken) {
			t.Errorf("SetEmail = %v, want %v", err, ErrTaken)
		}
		if err := s.SetEmail(ctx, self(anna), anna.ID, "anna@example.net"); err != nil {
			t.Fatal(err)
		}
		if got, err := s.Find(ctx, "anna@example.net"); err != nil || got.ID != anna.ID || got.Email != "anna@example.net" {
			t.Errorf("by the new address: %+v, %v", got, err)
		}
		if _, err := s.Find(ctx, "anna@example.org"); !errors.Is(err, ErrNotFound) {
			t.Errorf("by the old one: %v, want %v", err, ErrNotFound)
		}
		if got, err := s.Get(ctx, berta.ID); err != nil || got.Email != "berta@example.org" {
			t.Errorf("the other: %+v, %v", got, err)
		}
	})
}

func TestWhoLeavesHasSevenDays(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, h := t.Context(), clock()
		s := timed(t, d, h)
		u := add(t, s)
		due := func() int {
			t.Helper()
			ids, err := s.Due(ctx)
			if err != nil {
				t.Fatal(err)
			}
			return len(ids)
		}
		if u, err := s.Leave(ctx, self(u), u.ID); err != nil || !u.LeavingAt.Equal(h.now.Add(7*24*time.Hour)) {
			t.Fatalf("Leave = %+v, %v", u, err)
		}
		h.Pass(Grace - time.Second)
		if u, err := s.Leave(ctx, self(u), u.ID); err != nil || !u.LeavingAt.Equal(h.now.Add(time.Second)) {
			t.Errorf("asking again moved the day to %v, %v", u.LeavingAt, err)
		}
		if n := due(); n != 0 {
			t.Errorf("due before its time: %d", n)
		}
		if u, err := s.Stay(ctx, self(u), u.ID); err != nil || u.Leaving() {
			t.Errorf("Stay = %+v, %v", u, err)
		}
		h.Pass(Grace)
		if n := due(); n != 0 {
			t.Errorf("due although it stays: %d", n)
		}
		if _, err := s.Leave(ctx, self(u), u.ID); err != nil {
			t.Fatal(err)
		}
		if _, err := s.SignUp(ctx, "nobody@example.org", "Nobody", good); err != nil {
			t.Fatal(err)
		}
		h.Pass(Grace)
		if n := due(); n != 2 {
			t.Errorf("due: %d, want who left and who never proved the address", n)
		}
	})
}

func TestAnErasedPersonIsGone(t *testing.T) {
	dbtest.Each(t, dbtest.Core, func(t *testing.T, d *db.DB) {
		ctx, s := t.Context(), service(t, d, nil)
		u := add(t, s)
		if err := errors.Join(s.SetProfile(ctx, self(u), u.ID, "Anna", Profile{Username: "anna"}), s.SetPicture(ctx, self(u), u.ID, pictures(t)["png"])); err != nil {
			t.Fatal(err)
		}
		token, err := s.Invite(ctx, system, Link{Purpose: LinkReset, Account: u.ID})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Erase(ctx, system, "nobody"); !errors.Is(err, ErrNotFound) {
			t.Errorf("nobody: %v, want %v", err, ErrNotFound)
		}
		for range 2 { // repeatable
			e, err := s.Erase(ctx, system, u.ID)
			if err != nil || e.Space != u.Space || e.Done() {
				t.Fatalf("Erase = %+v, %v", e, err)
			}
		}
		if _, _, err := s.Standing(ctx, u.ID); !errors.Is(err, ErrNotFound) {
			t.Errorf("Standing = %v, want %v", err, ErrNotFound)
		}
		if _, err := s.Redeem(ctx, LinkReset, token.Reveal()); !errors.Is(err, ErrLink) {
			t.Errorf("a link of before: %v, want %v", err, ErrLink)
		}
		if all, err := s.Erasures(ctx); err != nil || len(all) != 1 {
			t.Errorf("Erasures = %v, %v", all, err)
		}
		first, err := s.Erased(ctx, system, u.ID)
		if err != nil || !first.Done() {
			t.Fatalf("Erased = %+v, %v", first, err)
		}
		if again, err := s.Erased(ctx, system, u.ID); err != nil || again != first {
			t.Errorf("again: %+v, %v, want %+v", again, err, first)
		}
		if all, err := s.Erasures(ctx); err != nil || len(all) != 0 {
			t.Errorf("Erasures = %v, %v", all, err)
		}
		if got := addAs(t, s, "anna@example.org"); got.ID == u.ID {
			t.Error("the address gave the old account")
		}
	})
}
