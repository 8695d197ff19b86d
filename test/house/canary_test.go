package house

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io/fs"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/jackc/pgx/v5"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
	"github.com/ardesia-iot/ardesia/internal/base/command"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/otafile"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
	"github.com/ardesia-iot/ardesia/internal/people/social"
	"github.com/ardesia-iot/ardesia/internal/people/social/socialtest"
	"github.com/ardesia-iot/ardesia/internal/server"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// marker begins every text that people write in these tests, so that a file without it,
// in whatever form, need not be searched for each text.
const marker = "cnryqz"

// canaries are what must not be readable anywhere.
type canaries struct {
	texts   map[string]string  // with the marker, by what they are
	keys    map[string]string  // random texts that the server made
	ids     map[string]string  // random texts that stand for somebody: a database may know them, a file must not show them
	numbers []float64          // of 32 significant bits
	issuer  *socialtest.Issuer // where the person has an account too; nil for nowhere
}

// provider has a house sign people in with the issuer.
func (c *canaries) provider(t *testing.T) func(*server.Config) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(file, []byte(socialtest.Secret), 0o600); err != nil {
		t.Fatal(err)
	}
	return func(cfg *server.Config) {
		cfg.Social = []server.Social{{Kind: "oidc", SecretFile: file, Config: social.Config{
			ID: "school", Name: "School", Issuer: c.issuer.URL, ClientID: socialtest.ClientID, AllowPrivate: true}}}
	}
}

// word makes a text that only one canary has.
func (c *canaries) word(what string) string {
	text := marker + strings.ToLower(rand.Text()[:10])
	c.texts[what] = text
	return text
}

// number makes a value that is a float32 with all its bits in use.
func (c *canaries) number() float64 {
	var b [4]byte
	_, _ = rand.Read(b[:])
	n := float64(math.Float32frombits(0x44800001 | binary.LittleEndian.Uint32(b[:])&0x007ffffe)) // 1,024 to 2,048
	c.numbers = append(c.numbers, n)
	return n
}

// write has somebody write something everywhere where the house lets people and boards
// write, and makes sure that it arrived.
func (c *canaries) write(t *testing.T, h place) (key servertest.Key, thing string) {
	t.Helper()
	c.texts, c.keys, c.ids = map[string]string{}, map[string]string{}, map[string]string{}
	email := c.word("e-mail") + "@example.org"
	var user struct {
		ID string `json:"id"`
	}
	password := c.word("password") + "Aa1!x9"
	h.Admin("user.add", map[string]string{"email": email, "name": c.word("name of a person"), "password": password}, &user)
	c.person(t, h, email, password)
	var space struct {
		ID string `json:"id"`
	}
	h.Admin("space.add", map[string]string{"user": user.ID, "name": c.word("name of a space")}, &space)
	h.Admin("apikey.add", map[string]string{"user": user.ID, "space": space.ID, "name": c.word("name of an API key")}, &key)
	c.keys["API key"], c.ids["client id"] = key.Secret, key.ID
	var invited struct {
		Link string `json:"link"`
	}
	h.Admin("space.invite", map[string]any{"space": space.ID, "role": "viewer"}, &invited)
	_, c.keys["token of an invitation"], _ = strings.Cut(invited.Link, "?token=")
	h.Admin("space.rename", map[string]string{"space": space.ID, "name": c.word("new name of a space")}, nil)

	api := h.Client(key)
	do := func(method, path string, in, out any) {
		t.Helper()
		if err := api.Do(t.Context(), method, path, in, out); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	var d client.Device
	hardware := hexText()
	c.keys["unique hardware id"] = hardware
	do("PUT", "/iot/v2/devices", map[string]any{"name": c.word("name of a device"), "serial": c.word("serial number"), "fqbn": c.word("fully qualified board name"),
		"type": "login_and_secretkey_wifi", "unique_hardware_id": hardware}, &d)
	secret := c.word("secret key of a device")
	do("PUT", "/iot/v2/devices/"+d.ID+"/pass", map[string]any{"password": secret}, nil)
	var made struct {
		Password string `json:"suggested_password"`
	}
	do("GET", "/iot/v2/devices/"+d.ID+"/pass?suggested_password=true", nil, &made)
	c.keys["suggested secret key"] = made.Password
	do("PUT", "/iot/v2/devices/"+d.ID+"/tags", map[string]any{"key": c.word("key of a device's tag"), "value": c.word("value of a device's tag")}, nil)
	file, err := otafile.Encode([]byte(c.word("program of a board")), otafile.ESP32)
	if err != nil {
		t.Fatal(err)
	}
	// Compressed, nobody would find it; so it is also looked for as it was sent.
	c.keys["file of a program"] = string(file[otafile.HeaderBytes:])
	kind, body, err := client.Form(c.word("name of an image")+".ota", file, nil)
	if err == nil {
		err = api.Send(t.Context(), "POST", "/v1/ota/images", kind, body, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	// A board is on its way.
	coming, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c.keys["hardware id of a board on its way"] = hexText()
	public, err := boardcert.PublicKeyPEM(&coming.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := boardcert.SignToken(rand.Reader, coming, time.Now(), c.keys["hardware id of a board on its way"])
	if err != nil {
		t.Fatal(err)
	}
	c.keys["token of a board"] = signed
	do("POST", "/provisioning/v1/boards/register", map[string]any{"pid": "8057", "vid": "2341", "public_key": string(public), "serial": c.word("serial number of a board on its way"),
		"unique_hardware_id": c.keys["hardware id of a board on its way"]}, nil)
	do("POST", "/provisioning/v1/onboarding/claim", map[string]any{"board_token": signed, "connection_type": "wifi", "device_name": c.word("name of a board on its way")}, nil)
	property := func(kind, what string) map[string]any {
		return map[string]any{"name": c.word("name of a property " + what), "variable_name": c.word("variable " + what), "type": kind, "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"}
	}
	var th client.Thing
	do("PUT", "/iot/v2/things", map[string]any{"name": c.word("name of a thing"), "device_id": d.ID,
		"webhook_uri": "https://example.org/" + c.word("webhook"), "webhook_active": true,
		"tags":       []any{map[string]string{"key": c.word("key of a thing's tag"), "value": c.word("value of a thing's tag")}},
		"properties": []any{property("CHARSTRING", "of texts"), property("FLOAT", "of numbers"), property("FLOAT", "of a board"), property("LOCATION", "of places")}}, &th)
	at := "/iot/v2/things/" + th.ID + "/properties/"
	text := func() string { return c.word("value " + strconv.Itoa(len(c.texts))) }
	for range 3 {
		do("PUT", at+th.Properties[0].ID+"/publish", map[string]any{"value": text()}, nil)
		do("PUT", at+th.Properties[1].ID+"/publish", map[string]any{"value": c.number()}, nil)
	}
	do("PUT", at+th.Properties[3].ID+"/publish", map[string]any{"value": map[string]float64{"lat": c.number() / 32, "lon": c.number() / 32}}, nil)
	c.numbers[len(c.numbers)-2] /= 32
	c.numbers[len(c.numbers)-1] /= 32
	do("DELETE", at+th.Properties[2].ID, nil, nil) // kept for a while, and still not to be read
	sent := "board"
	do("PUT", "/iot/v2/things/"+th.ID+"/properties", map[string]any{"name": sent, "variable_name": sent, "type": "FLOAT", "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"}, nil)
	do("PUT", "/iot/v2/things/"+th.ID+"/clone", map[string]any{"name": c.word("name of a clone"), "include_tags": true}, nil)

	do("PUT", "/v1/integrations/homeassistant", map[string]any{"broker": "mqtts://" + c.word("name of a broker") + ".example.org", "user": c.word("user at a broker"), "password": c.word("password at a broker"),
		"topic_prefix": c.word("prefix of topics"), "tags": []string{c.word("key of a chosen tag") + ":" + c.word("value of a chosen tag")}, "enabled": false}, nil)

	// A dashboard shows it, with a public link, and somebody asks to see it.
	var board struct {
		ID string `json:"id"`
	}
	if err := h.Client(key).Do(t.Context(), "POST", "/iot/v3/dashboards", map[string]any{"name": c.word("name of a dashboard"), "cover_image": "https://" + c.word("cover") + ".example.org/",
		"pages": []any{map[string]any{"id": "6ba7b810-9dad-41d1-80b4-00c04fd430c9", "name": c.word("name of a page"), "position": 1}},
		"widgets": []any{map[string]any{"id": "6ba7b810-9dad-41d1-80b4-00c04fd430c8", "type": "Sticky Note", "name": c.word("name of a widget"), "x": 0, "y": 0, "width": 1, "height": 1,
			"options": map[string]any{"text": c.word("option of a widget")}}}}, &board); err != nil {
		t.Fatal(err)
	}
	var link struct {
		Token string `json:"token"`
	}
	if err := h.Client(key).Do(t.Context(), "PUT", "/v1/dashboards/"+board.ID+"/link", map[string]any{}, &link); err != nil {
		t.Fatal(err)
	}
	c.keys["token of a public link"] = link.Token

	// The board says something of itself and of its thing.
	p := mustEnter(t, h, 4, credentials{door: "mqtt-password", id: d.ID, name: d.ID, password: secret})
	for _, say := range []command.Command{
		command.DeviceNetConfig{Network: command.WiFi, Name: c.word("name of a Wi-Fi network")},
		command.DeviceBegin{Version: c.word("version of a library")},
	} {
		payload, err := command.Append(nil, say)
		if err != nil {
			t.Fatal(err)
		}
		p.publish(topic.Name(topic.CommandUp, d.ID), payload)
	}
	last := 0.0
	for range 4 {
		last = c.number()
		p.publish(topic.Name(topic.ThingOut, th.ID), senml.AppendBoard(nil, []senml.Record{{Name: sent, Kind: senml.Float, Num: last}}))
	}
	p.leave()
	c.check(t, h, key, th.ID)
	return key, th.ID
}

// check makes sure that what was written is there.
func (c *canaries) check(t *testing.T, h place, key servertest.Key, thing string) {
	t.Helper()
	var th client.Thing
	if err := h.Client(key).Do(t.Context(), "GET", "/iot/v2/things/"+thing, nil, &th); err != nil {
		t.Fatal(err)
	}
	found := false
	for _, p := range th.Properties {
		found = found || p.LastValue == c.numbers[len(c.numbers)-1]
	}
	if !found || th.Name != c.texts["name of a thing"] {
		t.Fatalf("the thing is %+v", th)
	}
	var said struct {
		Events []struct {
			Value string `json:"value"`
		} `json:"events"`
	}
	if err := h.Client(key).Do(t.Context(), "GET", "/iot/v2/devices/"+th.DeviceID+"/events", nil, &said); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(fmt.Sprint(said.Events), c.texts["name of a Wi-Fi network"]) {
		t.Fatalf("the board's events are %+v", said.Events)
	}
}

// forms are the ways in which a text can stand in a file.
func forms(text string) map[string][]byte {
	little, big := make([]byte, 0, 2*len(text)), make([]byte, 0, 2*len(text))
	for _, u := range utf16.Encode([]rune(text)) {
		little, big = binary.LittleEndian.AppendUint16(little, u), binary.BigEndian.AppendUint16(big, u)
	}
	all := map[string][]byte{
		"as it is": []byte(text), "in capitals": []byte(strings.ToUpper(text)), "UTF-16LE": little, "UTF-16BE": big,
		"hex": []byte(hex.EncodeToString([]byte(text))), "HEX": []byte(strings.ToUpper(hex.EncodeToString([]byte(text)))),
	}
	for shift := range 3 {
		// What of the encoding depends on the text alone, after shift other bytes.
		encoded := base64.StdEncoding.EncodeToString(append(make([]byte, shift), text...))
		from, to := (shift*8+5)/6, (shift+len(text))*8/6
		all["base64 after "+strconv.Itoa(shift)] = []byte(encoded[from:to])
	}
	return all
}

// numberForms are the ways in which a number can stand in a file.
func numberForms(n float64) map[string][]byte {
	wide, narrow := math.Float64bits(n), math.Float32bits(float32(n))
	return map[string][]byte{
		"text":                []byte(strconv.FormatFloat(n, 'f', -1, 64)),
		"float64 (LE)":        binary.LittleEndian.AppendUint64(nil, wide),
		"float64 (BE)":        binary.BigEndian.AppendUint64(nil, wide),
		"float32 (LE), twice": binary.LittleEndian.AppendUint32(nil, narrow),
		"float32 (BE), twice": binary.BigEndian.AppendUint32(nil, narrow),
	}
}

// in says which canaries a file shows.
func (c *canaries) in(file []byte, ids bool) (found []string) {
	search := func(what, text string) {
		for form, bytesOf := range forms(text) {
			if bytes.Contains(file, bytesOf) {
				found = append(found, what+", "+form)
			}
		}
	}
	marked := false
	for _, m := range forms(marker) {
		marked = marked || bytes.Contains(file, m)
	}
	if marked {
		for what, text := range c.texts {
			search(what, text)
		}
	}
	for what, text := range c.keys {
		search(what, text)
	}
	if ids {
		for what, text := range c.ids {
			search(what, text)
		}
	}
	seen := map[string]int{}
	for _, n := range c.numbers {
		for form, bytesOf := range numberForms(n) {
			if bytes.Contains(file, bytesOf) {
				seen[form]++
			}
		}
	}
	for form, n := range seen {
		// Four given bytes stand somewhere in a gigabyte of random ones by chance: one of them proves nothing.
		if n > 1 || !strings.HasSuffix(form, "twice") {
			found = append(found, "a number, "+form)
		}
	}
	return found
}

// look searches all files below the directories and says how many there were.
func (c *canaries) look(t *testing.T, when string, ids bool, dirs ...string) {
	t.Helper()
	files := 0
	for _, dir := range dirs {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			if err != nil {
				if os.IsNotExist(err) { // a database works there
					return nil
				}
				return err
			}
			if e.IsDir() && e.Name() == "mail" {
				return filepath.SkipDir // letters in clear, for an operator without a mail server: docs/operate.md
			}
			if !e.Type().IsRegular() {
				return nil
			}
			text, err := os.ReadFile(path)
			if err != nil {
				if os.IsNotExist(err) {
					return nil
				}
				return err
			}
			files++
			for _, what := range c.in(text, ids) {
				t.Errorf("%s: %s shows: %s", when, path, what)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if files < 5 {
		t.Errorf("%s: only %d files were found", when, files)
	}
}

// The search finds what it looks for, in all forms.
func TestCanariesCanBeFound(t *testing.T) {
	t.Parallel()
	c := &canaries{texts: map[string]string{}, keys: map[string]string{"key": rand.Text()}, ids: map[string]string{"id": rand.Text()}}
	c.word("text")
	c.number()
	c.number()
	noise := []byte(rand.Text())
	plant := func(b []byte) []byte { return append(append(bytes.Clone(noise), b...), noise...) }
	if found := c.in(noise, true); len(found) > 0 {
		t.Errorf("noise shows %v", found)
	}
	for _, all := range []map[string]string{c.texts, c.keys, c.ids} {
		for what, text := range all {
			for form, b := range forms(text) {
				if len(c.in(plant(b), true)) == 0 {
					t.Errorf("%s is not found %s", what, form)
				}
			}
			for shift := range 3 {
				encoded := base64.StdEncoding.EncodeToString(append(bytes.Clone(noise[:shift]), text+"tail"...))
				if len(c.in([]byte(encoded), true)) == 0 {
					t.Errorf("%s is not found in %s", what, encoded)
				}
			}
		}
	}
	first, second := numberForms(c.numbers[0]), numberForms(c.numbers[1])
	for form := range first {
		if len(c.in(plant(append(plant(first[form]), second[form]...)), true)) == 0 {
			t.Errorf("a number is not found as %s", form)
		}
	}
}

// Nothing that people or boards wrote, and no key, can be read in any file: while the
// house runs, after it was killed, after it stopped, and in a backup.
func TestNoFileShowsWhatPeopleWrote(t *testing.T) {
	t.Parallel()
	c := &canaries{issuer: socialtest.Start(t, time.Now)}
	h := newProgram(t, c.provider(t))
	h.Start()
	dir := h.Config.Data
	key, thing := c.write(t, h)
	for _, name := range []string{"core.db-wal", "history.db-wal"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Size() == 0 {
			t.Errorf("%s has nothing to look for: %v", name, err)
		}
	}
	c.look(t, "while it runs", true, dir)
	archives := filepath.Join(t.TempDir(), "archives")
	h.Admin("backup", map[string]string{"dir": archives}, nil)
	if found, err := filepath.Glob(filepath.Join(archives, "*.data")); err != nil || len(found) != 1 {
		t.Fatalf("archives: %v, %v", found, err)
	}
	c.look(t, "with a backup", true, dir, archives)
	h.Kill()
	c.look(t, "after it was killed", true, dir)

	h.Start()
	c.check(t, h, key, thing)
	c.look(t, "after it was started again", true, dir)
	h.Stop()
	c.look(t, "after it stopped", true, dir)
}

// The same with PostgreSQL: also its own files, log and write-ahead log included, show
// nothing but ids.
func TestNoFileOfPostgresShowsWhatPeopleWrote(t *testing.T) {
	t.Parallel()
	dsn := dbtest.Postgres(t)
	u, err := url.Parse(dsn)
	if err != nil {
		t.Fatal(err)
	}
	cluster := u.Query().Get("host")
	c := &canaries{issuer: socialtest.Start(t, time.Now)}
	h := servertest.Start(t, func(c *server.Config) { c.Database = dsn }, c.provider(t))
	key, thing := c.write(t, h)
	checkpoint := func() {
		t.Helper()
		conn, err := pgx.Connect(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close(t.Context())
		if _, err := conn.Exec(t.Context(), "CHECKPOINT"); err != nil {
			t.Fatal(err)
		}
	}
	archives := filepath.Join(t.TempDir(), "archives")
	h.Admin("backup", map[string]string{"dir": archives}, nil)
	c.look(t, "in the archives and the directory", true, h.Config.Data, archives)
	checkpoint()
	c.look(t, "while it runs", false, cluster)
	h.Stop()
	checkpoint()
	c.look(t, "after it stopped", false, cluster)
	c.look(t, "after it stopped", true, h.Config.Data)
	again := h.Again()
	c.check(t, again, key, thing)
}
