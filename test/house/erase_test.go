package house

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/db/dbtest"
	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/mqtt/mqtttest"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/ops/backup"
	"github.com/ardesia-iot/ardesia/internal/people/door"
	"github.com/ardesia-iot/ardesia/internal/schema"
	"github.com/ardesia-iot/ardesia/internal/server"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// lifetime is how long a test of erasures waits for what must come. Nothing is measured by it.
const lifetime = time.Minute

// A colony is a shared space with one of everything, each of which bears its name.
type colony struct {
	space, name string
	c           *client.Client // of its first admin, in this space
	own         map[string]string
	secret      string // of the board
}

// marks are the texts that must not be found once the space is erased.
func (c *colony) marks() []string {
	var all []string
	for _, what := range []string{"space", "board", "serial", "thing", "tag-value", "device-tag", "property", "first", "last"} {
		all = append(all, c.name+"-"+what)
	}
	return all
}

// settle makes a shared space of the person with key.
func settle(t *testing.T, h *servertest.House, user string, key servertest.Key, name string) *colony {
	t.Helper()
	var made struct {
		ID string `json:"id"`
	}
	h.Admin("space.add", map[string]string{"user": user, "name": name + "-space"}, &made)
	return furnish(t, made.ID, name, h.ClientIn(t, key, made.ID))
}

// furnish makes a device and a thing in a space.
func furnish(t *testing.T, space, name string, admin *client.Client) *colony {
	t.Helper()
	c := &colony{space: space, name: name, c: admin, secret: "a-secret-key-of-" + name}
	do := func(method, path string, in, out any) {
		t.Helper()
		if err := c.c.Do(t.Context(), method, path, in, out); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	var d client.Device
	var th client.Thing
	do("PUT", "/iot/v2/devices", map[string]any{"name": name + "-board", "type": "login_and_secretkey_wifi", "serial": name + "-serial"}, &d)
	do("PUT", "/iot/v2/devices/"+d.ID+"/pass", map[string]any{"password": c.secret}, nil)
	do("PUT", "/iot/v2/devices/"+d.ID+"/tags", map[string]any{"key": "room", "value": name + "-device-tag"}, nil)
	do("PUT", "/iot/v2/things", map[string]any{"name": name + "-thing", "device_id": d.ID, "properties": []any{
		map[string]any{"name": name + "-property", "variable_name": "word", "type": "CHARSTRING", "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"}}}, &th)
	do("PUT", "/iot/v2/things/"+th.ID+"/tags", map[string]any{"key": "room", "value": name + "-tag-value"}, nil)
	p := th.Properties[0]
	for _, value := range []string{"-first", "-last"} {
		do("PUT", "/iot/v2/things/"+th.ID+"/properties/"+p.ID+"/publish", map[string]any{"value": name + value}, nil)
	}
	c.own = map[string]string{"device": d.ID, "thing": th.ID, "property": p.ID}
	return c
}

// isWhole says that the space's admin can read everything in it.
func (c *colony) isWhole(t *testing.T, when string) {
	t.Helper()
	var all string
	for _, q := range []struct {
		method, path string
		in           any
	}{
		{"GET", "/iot/v2/devices/" + c.own["device"], nil},
		{"GET", "/iot/v2/devices/" + c.own["device"] + "/tags", nil},
		{"GET", "/iot/v2/things/" + c.own["thing"], nil},
		{"GET", "/iot/v2/things/" + c.own["thing"] + "/tags", nil},
		{"GET", "/v1/spaces", nil},
		{"POST", "/iot/v2/series/batch_query_raw", map[string]any{"requests": []any{map[string]any{"q": "property." + c.own["property"], "from": "2020-01-01T00:00:00Z", "to": "2060-01-01T00:00:00Z"}}}},
	} {
		var out json.RawMessage
		if err := c.c.Do(t.Context(), q.method, q.path, q.in, &out); err != nil {
			t.Fatalf("%s %s: %v", q.method, q.path, err)
		}
		all += string(out)
	}
	for _, m := range c.marks() {
		if !strings.Contains(all, m) {
			t.Errorf("%s: %s is nowhere in %s", when, m, all)
		}
	}
}

// A line is a session of a board or a person.
type line struct {
	*mqtttest.Client
	ended chan error           // gets why it ended
	heard chan mqtttest.Packet // messages
}

func newLine(t *testing.T, conn net.Conn, o mqtttest.Options, topic string) (*line, error) {
	t.Helper()
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(lifetime)); err != nil {
		t.Fatal(err)
	}
	c := mqtttest.New(conn, 4)
	answer, err := c.Connect(o)
	if err == nil && answer.Code != 0 {
		err = errors.New("refused")
	}
	if err != nil {
		return nil, err
	}
	if _, err := c.Subscribe(1, mqtttest.Filter{Name: topic}); err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	l := &line{c, make(chan error, 1), make(chan mqtttest.Packet, 64)}
	go func() {
		for {
			p, err := c.Read()
			if err != nil {
				l.ended <- err
				return
			}
			if p.Type == mqtttest.Publish {
				l.heard <- p
			}
		}
	}()
	return l, nil
}

// connectBoard lets the space's board in, which listens to what is written for it.
func (c *colony) connectBoard(t *testing.T, h *servertest.House) (*line, error) {
	t.Helper()
	pool, err := client.Trust(h.CA())
	if err != nil {
		t.Fatal(err)
	}
	raw, err := new(net.Dialer).DialContext(t.Context(), "tcp", h.At["mqtt-password"])
	if err != nil {
		t.Fatal(err)
	}
	id := c.own["device"]
	return newLine(t, tls.Client(raw, mqtttest.BoardTLS(pool, "localhost")),
		mqtttest.Options{ClientID: id, Username: id, Password: c.secret}, "/a/t/"+c.own["thing"]+"/e/i")
}

// watch lets a person in who looks at the space's thing.
func (c *colony) watch(t *testing.T, h *servertest.House, user, token string) (*line, error) {
	t.Helper()
	pool, err := client.Trust(h.CA())
	if err != nil {
		t.Fatal(err)
	}
	plain := &http.Transport{
		TLSClientConfig: &tls.Config{RootCAs: pool},
		TLSNextProto:    map[string]func(string, *tls.Conn) http.RoundTripper{}, // WebSocket is HTTP/1.1
	}
	t.Cleanup(plain.CloseIdleConnections)
	ws, _, err := websocket.Dial(t.Context(), "wss://localhost:"+h.Port("https")+"/mqtt",
		&websocket.DialOptions{Subprotocols: []string{"mqtt"}, HTTPClient: &http.Client{Transport: plain}})
	if err != nil {
		t.Fatal(err)
	}
	return newLine(t, websocket.NetConn(context.Background(), ws, websocket.MessageBinary),
		mqtttest.Options{ClientID: "watcher-" + c.name, Username: user, Password: token}, "/a/t/"+c.own["thing"]+"/e/o")
}

func (l *line) ends(t *testing.T, who string) {
	t.Helper()
	select {
	case <-l.ended:
	case <-time.After(lifetime):
		t.Errorf("the session of %s is still open", who)
	}
}

// The promise as a whole: of two spaces one is erased. The other is as it was; of the
// first nothing is told, and nothing can be opened, in the data directory and in
// what earlier archives make of it.
func TestErasedSpace(t *testing.T) { eachEngine(t, testErasedSpace) }

// eachEngine runs a test in a house on each engine.
func eachEngine(t *testing.T, test func(t *testing.T, h *servertest.House)) {
	for _, e := range dbtest.Engines {
		t.Run(e.String(), func(t *testing.T) {
			test(t, servertest.Start(t, func(c *server.Config) {
				if e == db.Postgres {
					c.Database = dbtest.Postgres(t)
				}
			}))
		})
	}
}

type erasure struct {
	ID       string     `json:"id"`
	Name     string     `json:"name"`
	Things   int        `json:"things"`
	Devices  int        `json:"devices"`
	Members  int        `json:"members"`
	Keys     int        `json:"api_keys"`
	ErasedAt *time.Time `json:"erased_at"`
	Todo     string     `json:"todo"`
}

func testErasedSpace(t *testing.T, h *servertest.House) {
	anna, key := h.Person("anna@example.org")
	boris, boriss := h.Person("boris@example.org")
	gone, kept := settle(t, h, anna, key, "doomed"), settle(t, h, anna, key, "spared")
	h.Admin("space.member", map[string]string{"space": gone.space, "user": boris, "role": "Editor"}, nil)
	var bound servertest.Key
	h.Admin("apikey.add", map[string]string{"user": anna, "space": gone.space, "name": "bound"}, &bound)
	gone.isWhole(t, "before")
	kept.isWhole(t, "before")

	// Sessions: a board and a person in each space.
	token := func(c *client.Client) string {
		t.Helper()
		text, err := c.Token(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	tokens := map[string]string{
		"a member's token for it":    token(h.ClientIn(t, boriss, gone.space)),
		"its admin's token for it":   token(gone.c),
		"a token of its own API key": token(h.ClientIn(t, bound, "")),
	}
	open := func(l *line, err error) *line {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return l
	}
	goneBoard, keptBoard := open(gone.connectBoard(t, h)), open(kept.connectBoard(t, h))
	goneWatch := open(gone.watch(t, h, boris, tokens["a member's token for it"]))
	keptWatch := open(kept.watch(t, h, anna, token(kept.c)))

	var old backup.Pair
	h.Admin("backup", map[string]string{"dir": t.TempDir()}, &old)

	// It has to be said twice.
	var asked erasure
	h.Admin("space.erase", map[string]string{"space": gone.space}, &asked)
	if asked.Name != "doomed-space" || asked.Things != 1 || asked.Devices != 1 || asked.Members != 2 || asked.Keys != 1 || asked.ErasedAt != nil {
		t.Errorf("what would be erased: %+v", asked)
	}
	for name, in := range map[string]map[string]string{
		"another name":    {"space": gone.space, "yes": "spared-space"},
		"no such space":   {"space": "6ba7b810-9dad-41d1-80b4-00c04fd430c8", "yes": "x"},
		"a private space": {"space": privateSpaceOf(t, h, boris), "yes": "Private"},
	} {
		text, err := json.Marshal(in)
		if err != nil {
			t.Fatal(err)
		}
		if answer, err := h.Server.Admin(t.Context(), "space.erase", text); err == nil {
			t.Errorf("%s was erased: %s", name, answer)
		}
	}
	gone.isWhole(t, "before it was said twice")
	if len(goneBoard.ended)+len(goneWatch.ended) > 0 {
		t.Error("a session ended before it was said twice")
	}

	began := time.Now()
	var proof erasure
	h.Admin("space.erase", map[string]string{"space": gone.space, "yes": "doomed-space"}, &proof)
	if proof.ID != gone.space || proof.Things != 1 || proof.Devices != 1 || proof.Members != 2 || proof.Keys != 1 ||
		proof.ErasedAt == nil || proof.ErasedAt.Before(began.Add(-time.Second)) || !strings.Contains(proof.Todo, "ardesia backup") {
		t.Errorf("proof: %+v", proof)
	}

	// Its sessions are closed, and nobody comes in again.
	goneBoard.ends(t, "its board")
	goneWatch.ends(t, "its member")
	if _, err := gone.connectBoard(t, h); err == nil {
		t.Error("its board came in again")
	}
	for name, tok := range tokens {
		who := anna
		if strings.Contains(name, "member") {
			who = boris
		}
		if _, err := gone.watch(t, h, who, tok); err == nil {
			t.Errorf("%s opened a session", name)
		}
	}
	gone.tellsNothing(t, h, tokens, token(h.Client(anotherKey(h, anna))), token(h.ClientIn(t, anotherKey(h, anna), kept.space)))

	// The other space: same things, same sessions.
	kept.isWhole(t, "after the erasure")
	kept.lives(t, keptBoard, keptWatch)

	// Once more changes nothing and has the same proof.
	var again erasure
	h.Admin("space.erase", map[string]string{"space": gone.space, "yes": "doomed-space"}, &again)
	if again.ErasedAt == nil || !again.ErasedAt.Equal(*proof.ErasedAt) || again.Things != 1 {
		t.Errorf("the proof is now %+v", again)
	}

	var fresh backup.Pair
	h.Admin("backup", map[string]string{"dir": t.TempDir()}, &fresh)
	h.Stop()
	gone.isSealed(t, "the data directory", h.Config)
	gone.hasRows(t, h.Config, 0)
	kept.hasRows(t, h.Config, 1)

	// An archive of before, with the newest keyring.
	c := h.Config
	c.Data, c.Database = filepath.Join(t.TempDir(), "restored"), ""
	root, err := keys.ReadRoot(filepath.Join(h.Config.Data, "keys", "root.key"), secret.String{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := backup.Restore(t.Context(), backup.Request{
		Archives: backup.Pair{Data: old.Data, Keyring: fresh.Keyring}, Dir: c.Data,
		Access: keys.Access{Provider: root}, Now: time.Now,
	}); err != nil {
		t.Fatal(err)
	}
	gone.isSealed(t, "an archive of before", c)
	restored := servertest.Open(t, c)
	gone.tellsNothing(t, restored, nil, token(restored.Client(anotherKey(restored, anna))))
	kept.c = restored.ClientIn(t, key, kept.space)
	kept.isWhole(t, "restored")
	// The start has seen that its key is gone, and erased it again.
	restored.Admin("space.erase", map[string]string{"space": gone.space}, &again)
	if again.ErasedAt == nil || again.Things != 1 || again.Devices != 1 || again.Members != 2 {
		t.Errorf("after the restore the proof is %+v", again)
	}
}

// anotherKey has a limit of requests of its own.
func anotherKey(h *servertest.House, user string) (key servertest.Key) {
	h.Admin("apikey.add", map[string]string{"user": user, "name": "another"}, &key)
	return key
}

func privateSpaceOf(t *testing.T, h *servertest.House, user string) string {
	t.Helper()
	var all []struct {
		ID    string `json:"id"`
		Space string `json:"space"`
	}
	h.Admin("user.list", struct{}{}, &all)
	for _, u := range all {
		if u.ID == user {
			return u.Space
		}
	}
	t.Fatalf("no person %s", user)
	return ""
}

// lives says that the board's values still arrive, and reach who watches.
func (c *colony) lives(t *testing.T, board, watch *line) {
	t.Helper()
	text := c.name + "-after"
	pack := senml.Append(nil, []senml.Record{{Name: "word", Kind: senml.Text, Text: text}})
	if err := board.Publish("/a/t/"+c.own["thing"]+"/e/o", pack, 1, 7); err != nil {
		t.Fatalf("the other space's board: %v", err)
	}
	late := time.After(lifetime)
	for {
		select {
		case p := <-watch.heard:
			if bytes.Contains(p.Payload, []byte(text)) {
				return
			}
		case err := <-board.ended:
			t.Fatalf("the session of the other space's board ended: %v", err)
		case err := <-watch.ended:
			t.Fatalf("the session in the other space ended: %v", err)
		case <-late:
			t.Fatal("the other space's values do not arrive")
		}
	}
}

// tellsNothing asks every route for the space: with tokens for it, which are dead,
// and with others, as people who were its members.
func (c *colony) tellsNothing(t *testing.T, h *servertest.House, dead map[string]string, others ...string) {
	t.Helper()
	web := web(t, h)
	body := `{"name":"x","type":"FLOAT","permission":"READ_WRITE","update_strategy":"ON_CHANGE","value":1,"key":"room","password":"a-secret-key",
		"properties":[{"name":"word","property":"word","type":"infer","value":1}],"device_id":"` + c.own["device"] + `","csr":"x","enabled":true,"resp_version":1,
		"from":"2020-01-01T00:00:00Z","to":"2060-01-01T00:00:00Z","requests":[{"q":"property.` + c.own["property"] + `","from":"2020-01-01T00:00:00Z","to":"2060-01-01T00:00:00Z",
		"thing_id":"` + c.own["thing"] + `","property_id":"` + c.own["property"] + `"}]}`
	quiet := func(what, text string) {
		t.Helper()
		for _, m := range c.marks() {
			if strings.Contains(text, m) {
				t.Errorf("%s shows %s: %s", what, m, text)
			}
		}
		if strings.Contains(text, c.space) {
			t.Errorf("%s names the space: %s", what, text)
		}
	}
	for _, d := range door.Table(h.Server.Routes()) {
		if d.Open || d.Path == "/iot/v1/property_types" {
			continue
		}
		own := maps.Clone(c.own)
		own["space"] = c.space
		url := h.URL() + fill(d, own)
		for name, tok := range dead {
			got, text := call(t, web, d.Method, url, tok, body)
			if got != http.StatusForbidden && got != http.StatusUnauthorized {
				t.Errorf("%s %s with %s: %d %s, want 401 or 403", d.Method, d.Path, name, got, text)
			}
			quiet(d.Method+" "+d.Path+" with "+name, text)
		}
		for _, tok := range others {
			got, text := call(t, web, d.Method, url, tok, body)
			want := http.StatusNotFound
			if d.Space != "" {
				want = http.StatusForbidden // as for a space that never was
			}
			if len(d.Params) > 0 && got != want {
				t.Errorf("%s %s from another space: %d %s, want %d", d.Method, d.Path, got, text, want)
			}
			if d.Path == "/v1/apikeys" {
				continue // a person's revoked keys stay theirs, and say for which space they were
			}
			quiet(d.Method+" "+d.Path+" from another space", text)
		}
	}
	h.Pass(10 * time.Second) // so that nobody has asked too often
}

// hasRows counts what the tables have of the space, at least or, for none, exactly.
func (c *colony) hasRows(t *testing.T, cfg server.Config, want int) {
	t.Helper()
	ctx := t.Context()
	root, err := keys.OpenRoot(ctx, cfg.Data, keys.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for name, tables := range map[string]map[string]string{
		schema.Core:    {"org": "id", "org_member": "org", "device": "space", "device_status": "space", "thing": "space", "thing_tag": "space", "thing_property": "space"},
		schema.History: {"series": "space"},
	} {
		d := c.open(t, root, cfg, name)
		err := d.Read(ctx, func(tx *db.Tx) error {
			for table, column := range tables {
				var n int
				if err := tx.QueryRow(ctx, "select count(*) from "+table+" where "+column+" = $1", c.space).Scan(&n); err != nil {
					return err
				}
				if n != want && (want == 0 || n < want) {
					t.Errorf("%s has %d rows of the space %s, want %d", table, n, c.name, want)
				}
			}
			return nil
		})
		if err := errors.Join(err, d.Close()); err != nil {
			t.Fatal(err)
		}
	}
}

func (c *colony) open(t *testing.T, root *keys.Root, cfg server.Config, name string) *db.DB {
	t.Helper()
	one := db.Config{Schema: name, Now: time.Now, Readers: 1, Path: filepath.Join(cfg.Data, name+".db"), Key: root.FileKey(name)}
	if cfg.Database != "" {
		one = db.Config{Schema: name, Now: time.Now, Readers: 1, Engine: db.Postgres, DSN: cfg.Database}
	}
	d, err := schema.Open(t.Context(), one)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// isSealed opens the data that c names with all its keys, and finds nothing of the
// space: no key, and no text in any row.
func (c *colony) isSealed(t *testing.T, where string, cfg server.Config) {
	t.Helper()
	ring, history := c.unlock(t, where, cfg)
	if _, err := ring.Space(t.Context(), c.space); !errors.Is(err, keys.ErrErased) {
		t.Errorf("%s: the space's key: %v, want %v", where, err, keys.ErrErased)
	}
	c.hasNoHistory(t, where, history)
}

// unlock opens the data that c names with all its keys, in whose rows as they are there is no text of the colony.
func (c *colony) unlock(t *testing.T, where string, cfg server.Config) (*keys.Ring, *series.Service) {
	t.Helper()
	ctx := t.Context()
	root, err := keys.OpenRoot(ctx, cfg.Data, keys.Options{Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	opened := map[string]*db.DB{}
	for _, name := range schema.Names {
		opened[name] = c.open(t, root, cfg, name)
		t.Cleanup(func() { opened[name].Close() })
		var rows bytes.Buffer
		if err := opened[name].Dump(ctx, &rows); err != nil {
			t.Fatal(err)
		}
		for _, m := range c.marks() {
			if bytes.Contains(rows.Bytes(), []byte(m)) {
				t.Errorf("%s: the database %s shows %s", where, name, m)
			}
		}
	}
	ring, err := root.Ring(ctx, opened[schema.Keyring])
	if err != nil {
		t.Fatal(err)
	}
	history, err := series.New(ctx, series.Needs{Store: series.SQL(opened[schema.History]), Keys: ring, Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err != nil {
		t.Fatal(err)
	}
	return ring, history
}

func (c *colony) hasNoHistory(t *testing.T, where string, history *series.Service) {
	t.Helper()
	if p, ok := history.Last(c.own["property"]); ok {
		t.Errorf("%s: the last value is %+v", where, p)
	}
	points, err := history.Raw(t.Context(), series.Query{Series: c.own["property"], Space: c.space, From: series.Earliest, To: series.Latest, Limit: 10})
	if len(points) > 0 || err != nil && !errors.Is(err, keys.ErrErased) {
		t.Errorf("%s: the history has %+v, %v", where, points, err)
	}
}
