package house

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/client"
	"github.com/ardesia-iot/ardesia/internal/base/boardcert"
	"github.com/ardesia-iot/ardesia/internal/base/command"
	"github.com/ardesia-iot/ardesia/internal/base/mqtt/mqtttest"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
	"github.com/ardesia-iot/ardesia/internal/fleet/topic"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// An enrolment is a device as its owner made it, with both kinds of credentials.
type enrolment struct {
	id, thing, secret string
	cert              *tls.Certificate
}

func (b enrolment) withCertificate(door string) credentials {
	return credentials{door: door, id: b.id, cert: b.cert}
}

func (b enrolment) withSecret() credentials {
	return credentials{door: "mqtt-password", id: b.id, name: b.id, password: b.secret}
}

// makeBoard makes a device and, unless thing is "", a thing for it with one property
// for each topic that is declared.
func makeBoard(t *testing.T, c *client.Client, thing string) enrolment {
	t.Helper()
	do := func(method, path string, in, out any) {
		t.Helper()
		if err := c.Do(t.Context(), method, path, in, out); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	var d client.Device
	do("PUT", "/iot/v2/devices", map[string]any{"name": "board of " + thing, "type": "login_and_secretkey_wifi"}, &d)
	b := enrolment{id: d.ID, secret: rand.Text()}
	do("PUT", "/iot/v2/devices/"+b.id+"/pass", map[string]any{"password": b.secret}, nil)
	b.cert, _ = certify(t, c, b.id)
	if thing != "" {
		properties := []any{variable(markName)}
		for _, d := range topic.Declared() {
			properties = append(properties, variable(propertyOf(d)))
		}
		var th client.Thing
		do("PUT", "/iot/v2/things", map[string]any{"name": thing, "device_id": b.id, "properties": properties}, &th)
		b.thing = th.ID
	}
	return b
}

func variable(name string) map[string]any {
	return map[string]any{"name": name, "variable_name": name, "type": "INT", "permission": "READ_WRITE", "update_strategy": "ON_CHANGE"}
}

// certify gives a device another certificate, and says its id.
func certify(t testing.TB, c *client.Client, device string) (*tls.Certificate, string) {
	t.Helper()
	csr, key := request(t, device)
	var answer struct {
		ID  string `json:"id"`
		DER string `json:"der"`
	}
	if err := c.Do(t.Context(), "PUT", "/iot/v2/devices/"+device+"/certs", map[string]any{"csr": csr, "ca": "Arduino", "enabled": true}, &answer); err != nil {
		t.Fatal(err)
	}
	der, err := base64.StdEncoding.DecodeString(answer.DER)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, answer.ID
}

// request is a certificate request of a device with a new key.
func request(t testing.TB, device string) (csr string, key *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	text, err := boardcert.MakeCSR(rand.Reader, key, device)
	if err != nil {
		t.Fatal(err)
	}
	return string(text), key
}

// markName is the property by which a test tells that everything before has arrived.
const markName = "mark"

// propertyOf is the property that only messages on one topic set.
func propertyOf(d topic.Declaration) string { return fmt.Sprintf("of_topic_%d", d.Kind) }

func nameOf(d topic.Declaration, b enrolment) string {
	if d.OfDevice() {
		return d.Name(b.id)
	}
	return d.Name(b.thing)
}

func pack(name string, value int) []byte {
	return senml.Append(nil, []senml.Record{{Name: name, Kind: senml.Int, Int: int64(value)}})
}

func shows(p mqtttest.Packet, name string, value int) bool {
	records, err := senml.Decode(p.Payload)
	if err != nil {
		return false
	}
	for _, r := range records {
		if n, ok := r.Number(); ok && r.Name == name && n == float64(value) {
			return true
		}
	}
	return false
}

// message is what somebody would send on a topic who wants it to count, with a
// number by which it is known again.
func message(t *testing.T, d topic.Declaration, number int) []byte {
	t.Helper()
	var c command.Command
	switch d.Kind {
	case topic.CommandUp:
		c = command.WiFiFWVersion{Version: version(number)}
	case topic.CommandDown:
		c = command.LastValuesUpdate{Pack: pack(propertyOf(d), number)}
	case topic.DeviceOut:
		return senml.AppendBoard(nil, []senml.Record{{Name: "LIB_VERSION", Kind: senml.Text, Text: version(number)}})
	case topic.DeviceIn:
		return senml.Append(nil, []senml.Record{{Name: "thing_id", Kind: senml.Text, Text: fmt.Sprintf("00000000-0000-4000-8000-%012d", number)}})
	case topic.ThingOut, topic.ThingIn, topic.ShadowIn:
		return pack(propertyOf(d), number)
	case topic.ShadowOut:
		return []byte(senml.LastValuesRequest)
	default:
		t.Fatalf("%v is new: say here what somebody would send on it", d)
	}
	text, err := command.Append(nil, c)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func version(number int) string { return fmt.Sprintf("1.0.%d", number) }

// A scene is a house with a board in a shared space, and everybody who has or has
// not something to do with it.
type scene struct {
	t       *testing.T
	h       *servertest.House
	version byte

	space   string
	api     *client.Client // the owner's
	target  enrolment
	owner   credentials
	number  int
	witness *party // a session of the owner that listens to everything
	device  *party // the board itself: another connection, or the client under test
}

// A guest is one kind of client, with what it may do by its nature; which topics that
// makes, the declarations say.
type guest struct {
	who     credentials
	refused bool  // at the door
	itself  bool  // it is the board
	reads   bool  // a user who may see the board's thing
	writes  bool  // a user who may also set its values
	own     *home // where it may send, which proves that it is alive
}

// A home is a board that somebody else may use.
type home struct {
	api   *client.Client
	board enrolment
	kind  topic.Kind // on which the guest may send
}

func (g guest) publishes(d topic.Declaration) bool {
	return g.itself && d.DevicePublishes || g.writes && d.UserPublishes
}

func (g guest) hears(d topic.Declaration) bool {
	return g.itself && d.DeviceSubscribes || (g.reads || g.writes) && d.UserSubscribes
}

// The table is made of the declarations: every topic that exists, as every kind of
// client, to send to and to listen on, on both versions of the protocol and over all
// doors. What is allowed must work, and what is not must change nothing, be stored
// nowhere and reach nobody.
func TestTopicsAreTheirOwnersAlone(t *testing.T) {
	s, guests := newScene(t)
	for name, g := range guests {
		for _, version := range []byte{4, 5} {
			t.Run(fmt.Sprintf("%s, MQTT %d", name, version), func(t *testing.T) {
				s.t, s.version = t, version
				s.visit(g)
			})
		}
	}
}

func newScene(t *testing.T) (*scene, map[string]guest) {
	h, elsewhere := servertest.Start(t), servertest.Start(t)
	s := &scene{t: t, h: h}

	// Tokens that were good once come first, because time goes on for them.
	anna, annasKey := h.Person("anna@example.org")
	var space struct {
		ID string `json:"id"`
	}
	h.Admin("space.add", map[string]string{"user": anna, "name": "School"}, &space)
	s.space = space.ID
	inSpace := func(user string) (key servertest.Key) {
		h.Admin("apikey.add", map[string]string{"user": user, "space": s.space, "name": "in the space"}, &key)
		return key
	}
	join := func(email, role string) (user string, key servertest.Key) {
		user, _ = h.Person(email)
		h.Admin("space.member", map[string]string{"space": s.space, "user": user, "role": role}, nil)
		return user, inSpace(user)
	}
	session := func(user, token string) credentials {
		return credentials{door: "https", id: user, name: user, password: token}
	}
	member := func(user string, key servertest.Key) credentials {
		return credentials{door: "https", id: user, name: user, key: h.Client(key)}
	}
	shared := inSpace(anna)
	expired := token(t, h, shared)
	h.Pass(6 * time.Minute)

	rita, ritas := join("rita@example.org", "editor")
	removed := token(t, h, ritas)
	h.Admin("space.member", map[string]string{"space": s.space, "user": rita, "role": "none"}, nil)
	dora, doras := join("dora@example.org", "admin")
	disabled := token(t, h, doras)
	h.Admin("user.disable", map[string]any{"user": dora, "disabled": true}, nil)
	lost := inSpace(anna)
	revoked := token(t, h, lost)
	h.Admin("apikey.revoke", map[string]string{"client_id": lost.ID}, nil)

	vera, veras := join("vera@example.org", "viewer")
	edith, ediths := join("edith@example.org", "editor")
	mallory, mallorys := h.Person("mallory@example.org")
	foreigner, foreigners := elsewhere.Person("anna@example.org")
	foreign := token(t, elsewhere, foreigners)

	s.api = h.Client(shared)
	s.target = makeBoard(t, s.api, "target")
	s.owner = member(anna, shared)
	sister, single := makeBoard(t, s.api, "sister"), makeBoard(t, s.api, "")
	strangers := h.Client(mallorys)
	stranger := makeBoard(t, strangers, "stranger")
	privates := h.Client(annasKey)
	private := makeBoard(t, privates, "private")
	deleted := makeBoard(t, s.api, "")
	if err := s.api.Do(t.Context(), "DELETE", "/iot/v2/devices/"+deleted.id, nil, nil); err != nil {
		t.Fatal(err)
	}
	withdrawn, id := certify(t, s.api, s.target.id)
	if err := s.api.Do(t.Context(), "DELETE", "/iot/v2/devices/"+s.target.id+"/certs/"+id, nil, nil); err != nil {
		t.Fatal(err)
	}
	disowned, id := certify(t, s.api, s.target.id)
	if err := s.api.Do(t.Context(), "POST", "/iot/v2/devices/"+s.target.id+"/certs/"+id, map[string]any{"enabled": false}, nil); err != nil {
		t.Fatal(err)
	}
	double := makeBoard(t, elsewhere.Client(foreigners), "double")
	target := s.target
	good := token(t, h, shared)
	forged := good[:len(good)-8] + "AAAAAAAA"

	return s, map[string]guest{
		"the board, by its certificate":        {who: target.withCertificate("mqtt-cert"), itself: true},
		"the board, by its certificate (8883)": {who: target.withCertificate("mqtt-cert-legacy"), itself: true},
		"the board, by its secret key":         {who: target.withSecret(), itself: true},
		"the owner":                            {who: s.owner, reads: true, writes: true},
		"an editor of the space":               {who: member(edith, ediths), reads: true, writes: true},
		"a viewer of the space":                {who: member(vera, veras), reads: true},

		"the owner's other board, by its certificate": {who: sister.withCertificate("mqtt-cert"), own: &home{s.api, sister, topic.ThingOut}},
		"the owner's other board, by its secret key":  {who: sister.withSecret(), own: &home{s.api, sister, topic.ThingOut}},
		"a board of the space without a thing":        {who: single.withSecret(), own: &home{s.api, single, topic.DeviceOut}},
		"the owner's private board":                   {who: private.withSecret(), own: &home{privates, private, topic.ThingOut}},
		"a stranger's board, by its certificate":      {who: stranger.withCertificate("mqtt-cert"), own: &home{strangers, stranger, topic.ThingOut}},
		"a stranger's board, by its secret key":       {who: stranger.withSecret(), own: &home{strangers, stranger, topic.ThingOut}},
		"a stranger":                                  {who: member(mallory, mallorys), own: &home{strangers, stranger, topic.ThingIn}},
		"the owner in the private space":              {who: member(anna, annasKey), own: &home{privates, private, topic.ThingIn}},

		"an expired token":                           {who: session(anna, expired), refused: true},
		"a token of another environment":             {who: session(foreigner, foreign), refused: true},
		"a token of another environment, renamed":    {who: session(anna, foreign), refused: true},
		"a member who was removed":                   {who: session(rita, removed), refused: true},
		"a user who was disabled":                    {who: session(dora, disabled), refused: true},
		"a revoked API key":                          {who: session(anna, revoked), refused: true},
		"a forged signature":                         {who: session(anna, forged), refused: true},
		"no token":                                   {who: session(anna, ""), refused: true},
		"nobody":                                     {who: credentials{door: "https", id: anna}, refused: true},
		"a stranger's token under the owner's id":    {who: credentials{door: "https", id: anna, name: anna, key: strangers}, refused: true},
		"a token at the boards' door":                {who: credentials{door: "mqtt-password", id: anna, name: anna, key: s.api}, refused: true},
		"a board at the users' door":                 {who: credentials{door: "https", id: target.id, name: target.id, password: target.secret}, refused: true},
		"the board with a wrong secret":              {who: credentials{door: "mqtt-password", id: target.id, name: target.id, password: rand.Text()}, refused: true},
		"the board without a secret":                 {who: credentials{door: "mqtt-password", id: target.id, name: target.id}, refused: true},
		"the board's id with a sister's secret":      {who: credentials{door: "mqtt-password", id: target.id, name: target.id, password: sister.secret}, refused: true},
		"the board's id, a stranger's credentials":   {who: credentials{door: "mqtt-password", id: target.id, name: stranger.id, password: stranger.secret}, refused: true},
		"the board without a certificate":            {who: credentials{door: "mqtt-cert", id: target.id, name: target.id, password: target.secret}, refused: true},
		"the board's id with a sister's certificate": {who: credentials{door: "mqtt-cert", id: target.id, cert: sister.cert}, refused: true},
		"a revoked certificate":                      {who: credentials{door: "mqtt-cert", id: target.id, cert: withdrawn}, refused: true},
		"a revoked certificate (8883)":               {who: credentials{door: "mqtt-cert-legacy", id: target.id, cert: withdrawn}, refused: true},
		"a certificate that is switched off":         {who: credentials{door: "mqtt-cert", id: target.id, cert: disowned}, refused: true},
		"a certificate of another environment":       {who: credentials{door: "mqtt-cert", id: double.id, cert: double.cert}, refused: true},
		"another environment's for the board's id":   {who: credentials{door: "mqtt-cert", id: target.id, cert: double.cert}, refused: true},
		"a board that was deleted":                   {who: deleted.withCertificate("mqtt-cert"), refused: true},
	}
}

// next is a number that no message had before.
func (s *scene) next() int {
	s.number++
	return s.number
}

func (s *scene) visit(g guest) {
	t := s.t
	if g.refused {
		switch p, err := enter(t, s.h, s.version, g.who); {
		case err == nil:
			p.leave()
			t.Error("was let in")
		case !errors.Is(err, errRefused):
			t.Error(err)
		}
		return
	}
	var all []string
	for _, d := range topic.Declared() {
		all = append(all, nameOf(d, s.target))
	}
	s.witness = mustEnter(t, s.h, s.version, s.owner)
	s.witness.subscribe(all...)
	p := mustEnter(t, s.h, s.version, g.who)
	s.device = p
	if !g.itself {
		s.device = mustEnter(t, s.h, s.version, s.target.withCertificate("mqtt-cert"))
		s.device.subscribe(all...)
	}
	p.subscribe(all...)
	defer s.witness.leave()
	defer s.device.leave()
	defer p.leave()

	s.sends(p, g)
	s.listens(p, g, all)
	s.guesses(p, g, all)
	if g.own != nil {
		d, number := topic.Declared()[g.own.kind-1], s.next()
		p.publish(nameOf(d, g.own.board), message(t, d, number))
		if now := s.look(g.own.api, g.own.board); !now.has(number) {
			t.Errorf("what it sent on its own topic is not kept: %+v", now)
		}
	}
}

// settle waits until everything that was sent before has reached whoever it reaches.
func (s *scene) settle() {
	s.t.Helper()
	number := s.next()
	in := topic.Name(topic.ThingIn, s.target.thing)
	s.witness.publish(in, pack(markName, number))
	// People hear of values in the order in which these were kept, on the topic of what the board says; on the other one sooner.
	out := topic.Name(topic.ThingOut, s.target.thing)
	s.witness.hears("the mark", func(p mqtttest.Packet) bool { return p.Topic == out && shows(p, markName, number) })
	s.witness.ping()
	s.device.ping()
}

// sends has p publish on every topic and looks what became of it.
func (s *scene) sends(p *party, g guest) {
	t := s.t
	s.settle()
	for _, one := range []*party{s.witness, s.device, p} {
		one.take()
	}
	sent := map[topic.Kind]int{}
	for _, d := range topic.Declared() {
		sent[d.Kind] = s.next()
		p.publish(nameOf(d, s.target), message(t, d, sent[d.Kind]))
	}
	s.settle()
	reached := func(all []mqtttest.Packet, d topic.Declaration) bool {
		return slices.ContainsFunc(all, func(m mqtttest.Packet) bool {
			return m.Topic == nameOf(d, s.target) && (bytes.Equal(m.Payload, message(t, d, sent[d.Kind])) || shows(m, propertyOf(d), sent[d.Kind]))
		})
	}
	for _, d := range topic.Declared() { // the answer to a ping does not wait in line behind messages
		if g.publishes(d) && d.DeviceSubscribes {
			s.device.hears(d.String(), func(m mqtttest.Packet) bool { return reached([]mqtttest.Packet{m}, d) })
		}
	}
	atOwner, atBoard := s.witness.take(), s.device.take()
	now, answers := s.look(s.api, s.target), 0
	for _, d := range topic.Declared() {
		number, may := sent[d.Kind], g.publishes(d)
		if got, want := now.has(number), may && keeps(d); got != want {
			t.Errorf("sent on %v: kept %v, want %v", d, got, want)
		}
		if got, want := reached(atOwner, d), may && d.UserSubscribes; got != want {
			t.Errorf("sent on %v: reached the owner %v, want %v", d, got, want)
		}
		if got, want := reached(atBoard, d), may && d.DeviceSubscribes; got != want {
			t.Errorf("sent on %v: reached the board %v, want %v", d, got, want)
		}
		if may && d.Kind == topic.ShadowOut {
			answers++
		}
	}
	for _, m := range atBoard {
		switch {
		case m.Retain:
			t.Errorf("the board got a retained message on %s", m.Topic)
		case m.Topic == topic.Name(topic.ThingIn, s.target.thing):
		case m.Topic == topic.Name(topic.ShadowIn, s.target.thing) && answers > 0:
			answers--
		default:
			t.Errorf("the board got % x on %s", m.Payload, m.Topic)
		}
	}
	if answers > 0 {
		t.Error("the board asked for its last values and got none")
	}
}

// keeps says whether what comes on a topic is stored when it counts.
func keeps(d topic.Declaration) bool {
	return (d.DevicePublishes || d.UserPublishes) && d.Kind != topic.ShadowOut // a question
}

// A state is what a house keeps of a board and its thing.
type state struct {
	values map[string]any // last values, by property
	facts  []string       // what the board said of itself
}

// look reads the state of a board.
func (s *scene) look(c *client.Client, b enrolment) state {
	s.t.Helper()
	var th client.Thing
	var d struct {
		Events []struct {
			Value string `json:"value"`
		} `json:"events"`
	}
	if b.thing != "" {
		s.get(c, "/iot/v2/things/"+b.thing, &th)
	}
	s.get(c, "/iot/v2/devices/"+b.id+"/events", &d)
	now := state{values: map[string]any{}}
	for _, p := range th.Properties {
		now.values[p.Name] = p.LastValue
	}
	for _, e := range d.Events {
		now.facts = append(now.facts, e.Value)
	}
	return now
}

// get asks the API; when it has been asked too often, time goes on.
func (s *scene) get(c *client.Client, path string, out any) {
	s.t.Helper()
	for {
		err := c.Do(s.t.Context(), "GET", path, nil, out)
		var e *client.Error
		if errors.As(err, &e) && e.Status == http.StatusTooManyRequests {
			s.h.Pass(time.Second)
			continue
		}
		if err != nil {
			s.t.Fatalf("%s: %v", path, err)
		}
		return
	}
}

// has says whether a message with a number is part of the state, wherever.
func (now state) has(number int) bool {
	for _, v := range now.values {
		if v == float64(number) {
			return true
		}
	}
	return slices.ContainsFunc(now.facts, func(fact string) bool {
		return fact == version(number) || strings.Contains(fact, fmt.Sprintf("%012d", number))
	})
}

// life has the board and its owner do everything that makes messages, and waits until
// those have arrived who listen.
func (s *scene) life(deviceListens bool) {
	t := s.t
	say := func(kind topic.Kind, payload []byte) {
		s.device.publish(topic.Name(kind, idOf(s.target, kind)), payload)
	}
	begin, err := command.Append(nil, command.ThingBegin{})
	if err != nil {
		t.Fatal(err)
	}
	out, in := s.next(), s.next()
	say(topic.CommandUp, begin)
	say(topic.DeviceOut, message(t, topic.Declared()[topic.DeviceOut-1], s.next()))
	if deviceListens {
		s.device.subscribe(topic.Name(topic.DeviceIn, s.target.id))
	}
	say(topic.ThingOut, pack(markName, out))
	say(topic.ShadowOut, []byte(senml.LastValuesRequest))
	s.witness.publish(topic.Name(topic.ThingIn, s.target.thing), pack(markName, in))
	for kind, number := range map[topic.Kind]int{topic.ThingOut: out, topic.ThingIn: in} {
		name := topic.Name(kind, s.target.thing)
		s.witness.hears(name, func(p mqtttest.Packet) bool { return p.Topic == name && shows(p, markName, number) })
	}
	if deviceListens {
		for _, d := range topic.Declared() {
			if name := nameOf(d, s.target); d.DeviceSubscribes {
				s.device.hears(name, func(p mqtttest.Packet) bool { return p.Topic == name })
			}
		}
	}
	s.settle()
}

func idOf(b enrolment, kind topic.Kind) string {
	if topic.Declared()[kind-1].OfDevice() {
		return b.id
	}
	return b.thing
}

// listens has p subscribe to every topic while the board lives.
func (s *scene) listens(p *party, g guest, all []string) {
	p.take()
	s.life(true)
	for _, d := range topic.Declared() {
		if name := nameOf(d, s.target); g.hears(d) {
			p.hears(name, func(m mqtttest.Packet) bool { return m.Topic == name })
		}
	}
	p.ping()
	s.onlyAllowed(p, g, "its name")
}

// onlyAllowed looks at whether p heard what it may not.
func (s *scene) onlyAllowed(p *party, g guest, by string) {
	s.t.Helper()
	may := map[string]bool{}
	for _, d := range topic.Declared() {
		may[nameOf(d, s.target)] = g.hears(d)
	}
	for _, m := range p.take() {
		if !may[m.Topic] {
			s.t.Errorf("heard % x on %s, by %s", m.Payload, m.Topic, by)
		}
	}
}

// guesses has p subscribe to whatever selects more than one topic. A user's wildcard
// may select what that user may hear by its name; everything else selects nothing.
func (s *scene) guesses(p *party, g guest, all []string) {
	p.unsubscribe(all...)
	wild := []string{"#", "+", "/#", "+/#", "/+/+/+/+/+", "/+/+/+/+", "/a/#"}
	hidden := []string{"$SYS/#", "$SYS/broker/clients/connected", "$share/g/#", "$share/g//a/#", "$queue/#"}
	for _, d := range topic.Declared() {
		wild = append(wild, d.Name("+"), d.Prefix+idOf(s.target, d.Kind)+"/#", d.Name("#"), strings.ToUpper(nameOf(d, s.target)))
		hidden = append(hidden, "$share/g/"+nameOf(d, s.target), "$share/g/"+d.Name("+"), "$exclusive/"+nameOf(d, s.target))
	}
	for by, filters := range map[string][]string{"wildcards": wild, "shared subscriptions and $-topics": hidden} {
		p.subscribe(filters...)
		p.take()
		s.life(!g.itself)
		p.ping()
		if by == "wildcards" && !g.itself {
			s.onlyAllowed(p, g, by)
		} else {
			s.onlyAllowed(p, guest{}, by)
		}
		p.unsubscribe(filters...)
	}
}
