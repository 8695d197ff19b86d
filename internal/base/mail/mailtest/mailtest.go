// Package mailtest is a mail server for tests: it takes letters on loopback, with TLS or
// without, and fails at the word that a test names.
package mailtest

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/textproto"
	"strings"
	"sync"
	"testing"
	"time"
)

// What a Server may do instead of answering.
const (
	HangUp  = "hang up"
	Silence = "silence" // until the client goes
)

// Options say what kind of server it is.
type Options struct {
	Implicit bool   // TLS from the first byte
	NoTLS    bool   // no STARTTLS offered
	NoUTF8   bool   // no SMTPUTF8 offered
	Auth     string // ways to sign in that are offered: "PLAIN LOGIN"
	User     string // who may sign in; only they may send if it is set
	Password string
	Host     string // the name in its certificate; "" is 127.0.0.1
	// Say answers a word of the client ("CONNECT", "EHLO", "STARTTLS", "AUTH", "MAIL", "RCPT", "DATA",
	// ".", "QUIT") in the server's stead: a reply, HangUp, Silence, or "" for the usual. It may be nil.
	Say func(word, line string) string
}

// A Letter is one that arrived.
type Letter struct {
	From, To string // of the envelope
	Data     []byte
	TLS      bool
	User     string // who had signed in
}

// A Server runs until its test ends.
type Server struct {
	Addr  string         // host:port
	Roots *x509.CertPool // who signed its certificate
	PEM   []byte         // the same for a file

	o    Options
	cert tls.Certificate
	wg   sync.WaitGroup

	mu      sync.Mutex
	letters []Letter          // guarded by mu
	lines   []string          // guarded by mu; everything that clients said outside of letters
	open    map[net.Conn]bool // guarded by mu
	arrived chan struct{}     // holds a word when letters has grown
}

// Start runs a server.
func Start(t testing.TB, o Options) *Server {
	t.Helper()
	s := &Server{o: o, open: map[net.Conn]bool{}, arrived: make(chan struct{}, 1)}
	s.certify(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Addr = l.Addr().String()
	s.wg.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.open[c] = true
			s.mu.Unlock()
			s.wg.Go(func() {
				s.serve(c)
				c.Close()
				s.mu.Lock()
				delete(s.open, c)
				s.mu.Unlock()
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		s.mu.Lock()
		for c := range s.open {
			c.Close()
		}
		s.mu.Unlock()
		s.wg.Wait()
	})
	return s
}

func (s *Server) certify(t testing.TB) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "mail server for tests"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	if s.o.Host == "" {
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	} else {
		template.DNSNames = []string{s.o.Host}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	s.cert = tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
	s.Roots = x509.NewCertPool()
	s.Roots.AddCert(leaf)
	s.PEM = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

// Letters are those that arrived so far.
func (s *Server) Letters() []Letter {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]Letter(nil), s.letters...)
}

// Said is everything that clients said outside of letters.
func (s *Server) Said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.lines, "\n")
}

// Wait waits until n letters have arrived.
func (s *Server) Wait(t testing.TB, n int) []Letter {
	t.Helper()
	for {
		if all := s.Letters(); len(all) >= n {
			return all
		}
		select {
		case <-s.arrived:
		case <-t.Context().Done():
			t.Fatalf("the test ended before letter %d came", n)
		case <-time.After(30 * time.Second):
			t.Fatalf("%d letters came in 30 s, want %d", len(s.Letters()), n)
		}
	}
}

// A visit is one connection.
type visit struct {
	s      *Server
	conn   net.Conn
	text   *textproto.Conn
	secure bool
	user   string
	letter Letter
}

func (s *Server) serve(c net.Conn) {
	v := &visit{s: s, conn: c}
	if s.o.Implicit {
		v.encrypt()
	} else {
		v.text = textproto.NewConn(c)
	}
	if !v.say("CONNECT", "", "220 mail.example.org") {
		return
	}
	for {
		line, err := v.text.ReadLine()
		if err != nil {
			return
		}
		s.mu.Lock()
		s.lines = append(s.lines, line)
		s.mu.Unlock()
		word, arg, _ := strings.Cut(line, " ")
		if !v.hear(strings.ToUpper(word), arg, line) {
			return
		}
	}
}

func (v *visit) encrypt() {
	v.conn = tls.Server(v.conn, &tls.Config{Certificates: []tls.Certificate{v.s.cert}})
	v.text = textproto.NewConn(v.conn)
	v.secure = true
}

// say answers a word, and is false when the visit is over.
func (v *visit) say(word, line, reply string) bool {
	if v.s.o.Say != nil {
		if other := v.s.o.Say(word, line); other != "" {
			reply = other
		}
	}
	switch reply {
	case HangUp:
		return false
	case Silence:
		_, _ = bufio.NewReader(v.conn).ReadString(0) // until the client goes
		return false
	}
	return v.text.PrintfLine("%s", reply) == nil
}

func (v *visit) hear(word, arg, line string) bool {
	switch word {
	case "EHLO":
		offers := "mail.example.org\n8BITMIME\nENHANCEDSTATUSCODES"
		if !v.s.o.NoTLS && !v.secure {
			offers += "\nSTARTTLS"
		}
		if !v.s.o.NoUTF8 {
			offers += "\nSMTPUTF8"
		}
		if v.s.o.Auth != "" && (v.secure || v.s.o.NoTLS) {
			offers += "\nAUTH " + v.s.o.Auth
		}
		all := strings.Split(offers, "\n")
		for i := range all[:len(all)-1] {
			all[i] = "250-" + all[i]
		}
		all[len(all)-1] = "250 " + all[len(all)-1]
		return v.say(word, line, strings.Join(all, "\r\n"))
	case "STARTTLS":
		if !v.say(word, line, "220 go ahead") {
			return false
		}
		v.encrypt()
		return true
	case "AUTH":
		return v.sign(arg, line)
	case "MAIL":
		if v.s.o.User != "" && v.user == "" {
			return v.say(word, line, "530 5.7.0 sign in first")
		}
		v.letter = Letter{From: between(arg), TLS: v.secure, User: v.user}
		return v.say(word, line, "250 2.1.0 yes")
	case "RCPT":
		v.letter.To = between(arg)
		return v.say(word, line, "250 2.1.5 yes")
	case "DATA":
		return v.data(line)
	case "QUIT":
		v.say(word, line, "221 2.0.0 bye")
		return false
	case "RSET", "NOOP", "HELO":
		return v.say(word, line, "250 2.0.0 yes")
	}
	return v.say(word, line, "500 5.5.1 what?")
}

func (v *visit) data(line string) bool {
	reply := "354 go on"
	if v.s.o.Say != nil {
		if other := v.s.o.Say("DATA", line); other != "" {
			reply = other
		}
	}
	if reply == HangUp {
		return false
	}
	if v.text.PrintfLine("%s", reply) != nil {
		return false
	}
	if !strings.HasPrefix(reply, "354") {
		return true
	}
	data, err := v.text.ReadDotBytes()
	if err != nil {
		return false
	}
	v.letter.Data = data
	refused := false
	if v.s.o.Say != nil {
		other := v.s.o.Say(".", "")
		refused = other != "" && other[0] != '2' && other != HangUp && other != Silence
		if refused {
			return v.text.PrintfLine("%s", other) == nil
		}
		// A server that falls silent here has the letter and does not say so.
		if other == HangUp || other == Silence {
			v.keep()
			if other == Silence {
				_, _ = bufio.NewReader(v.conn).ReadString(0)
			}
			return false
		}
	}
	v.keep()
	return v.text.PrintfLine("250 2.0.0 it is ours now") == nil
}

func (v *visit) keep() {
	v.s.mu.Lock()
	v.s.letters = append(v.s.letters, v.letter)
	v.s.mu.Unlock()
	select {
	case v.s.arrived <- struct{}{}:
	default:
	}
}

// sign is AUTH PLAIN (RFC 4616) and LOGIN.
func (v *visit) sign(arg, line string) bool {
	way, first, _ := strings.Cut(arg, " ")
	var user, password string
	switch strings.ToUpper(way) {
	case "PLAIN":
		b, _ := base64.StdEncoding.DecodeString(first)
		if parts := strings.Split(string(b), "\x00"); len(parts) == 3 {
			user, password = parts[1], parts[2]
		}
	case "SCRAM-SHA-256":
		return v.scram(first, line)
	case "LOGIN":
		for _, ask := range []struct {
			what string
			to   *string
		}{{"Username:", &user}, {"Password:", &password}} {
			if v.text.PrintfLine("334 %s", base64.StdEncoding.EncodeToString([]byte(ask.what))) != nil {
				return false
			}
			said, err := v.text.ReadLine()
			if err != nil {
				return false
			}
			b, _ := base64.StdEncoding.DecodeString(said)
			*ask.to = string(b)
		}
	default:
		return v.say("AUTH", line, "504 5.5.4 no such way")
	}
	if user != v.s.o.User || password != v.s.o.Password {
		return v.say("AUTH", line, "535 5.7.8 who are you?")
	}
	v.user = user
	return v.say("AUTH", line, "235 2.7.0 welcome")
}

// scram is AUTH SCRAM-SHA-256 (RFC 5802, RFC 7677), which shows that the client knows the password
// without its telling it.
func (v *visit) scram(first, line string) bool {
	ask := func(text string) (string, bool) {
		if v.text.PrintfLine("334 %s", base64.StdEncoding.EncodeToString([]byte(text))) != nil {
			return "", false
		}
		said, err := v.text.ReadLine()
		b, _ := base64.StdEncoding.DecodeString(said)
		return string(b), err == nil
	}
	opening, _ := base64.StdEncoding.DecodeString(first)
	if first == "" {
		said, ok := ask("")
		if !ok {
			return false
		}
		opening = []byte(said)
	}
	bare := strings.TrimPrefix(string(opening), "n,,")
	user, nonce, _ := strings.Cut(strings.TrimPrefix(bare, "n="), ",r=")
	salt, nonce := []byte("salt of a test"), nonce+rand.Text()
	challenge := fmt.Sprintf("r=%s,s=%s,i=4096", nonce, base64.StdEncoding.EncodeToString(salt))
	final, ok := ask(challenge)
	if !ok {
		return false
	}
	without, proof, _ := strings.Cut(final, ",p=")
	got, _ := base64.StdEncoding.DecodeString(proof)
	salted, err := pbkdf2.Key(sha256.New, v.s.o.Password, salt, 4096, sha256.Size)
	if err != nil {
		return false
	}
	mac := func(key []byte, text string) []byte {
		h := hmac.New(sha256.New, key)
		h.Write([]byte(text))
		return h.Sum(nil)
	}
	whole := bare + "," + challenge + "," + without
	client := mac(salted, "Client Key")
	stored := sha256.Sum256(client)
	want := mac(stored[:], whole)
	subtle.XORBytes(want, want, client)
	if user != v.s.o.User || !strings.Contains(without, "r="+nonce) || !hmac.Equal(got, want) {
		return v.say("AUTH", line, "535 5.7.8 who are you?")
	}
	v.user = user
	if _, ok := ask("v=" + base64.StdEncoding.EncodeToString(mac(mac(salted, "Server Key"), whole))); !ok {
		return false
	}
	return v.say("AUTH", line, "235 2.7.0 welcome")
}

func between(arg string) string {
	_, rest, _ := strings.Cut(arg, "<")
	addr, _, _ := strings.Cut(rest, ">")
	return addr
}

// String says where it is.
func (s *Server) String() string { return fmt.Sprintf("mail server for tests at %s", s.Addr) }
