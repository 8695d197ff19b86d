package server

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/rest"
	"github.com/ardesia-iot/ardesia/internal/people/org"
)

// Config is everything that an operator can say. The zero value of each field is
// good, except Data. settings (in settings.go) is the list of their names, which
// flags, environment and file share.
type Config struct {
	Data     string   // directory of everything that must not be lost; made when missing, mode 0700
	Host     string   // name or address under which clients reach this server; default "localhost"
	SAN      []string // further names and addresses in the server's certificate
	Issuer   string   // https:// address where people sign in; default id.HOST, with Dev the web itself
	Database string   // postgres://… of the system of record; "" keeps it in Data
	Dev      bool     // on this machine only: loopback, web and API on 8443
	Demo     bool     // a sample account with a simulated board that sends a temperature

	HTTPS        string // web and API
	WebSocket    string // MQTT over WebSocket beside HTTPS; "" when HTTPS is already on 8443
	Redirect     string // plain HTTP, sends browsers to HTTPS; "" for none
	MQTTCert     string // boards with a certificate
	MQTTLegacy   string // the same for boards with ArduinoIoTCloud before 2.3
	MQTTPassword string // boards with device id and secret key
	Metrics      string // Prometheus; plain HTTP, so keep it on loopback

	TLSCert string // PEM file of a certificate that somebody else issued for Host; "" makes an own authority
	TLSKey  string // PEM file of its key

	SignUp string // "open": whoever can read mail makes an account; "closed": only the operator does; default open

	HistoryFlush int // values in the history's log that start a flush to chunks; default 2,000,000, which take 40 MB of memory and 0.4 s of a start
	APIRate      int // requests per minute of one API key or user, a sixth of them at once; default 600; below 0 is without limit
	OpenRate     int // requests per minute of one address on routes that need no token; default 3,000; below 0 is without limit

	SMTPAddr         string // host:port of the mail server for letters to people; "" puts them into Data/mail
	SMTPUser         string // who signs in there; "" for nobody
	SMTPPasswordFile string // whose first line is that user's password
	SMTPTLS          string // starttls, implicit, or none on loopback; default implicit on port 465, else starttls
	SMTPCA           string // PEM file of who signed the mail server's certificate; "" is whom this machine trusts
	MailFrom         string // sender of letters; default Ardesia <ardesia@Host>

	TokenRate      int      // tokens per minute of one API key; default 60; below 0 is without limit
	TrustedProxies []string // addresses and prefixes of proxies whose X-Forwarded-For is believed; default none
	// OutboundPrivate are addresses or prefixes that are not public and may be called all the same.
	OutboundPrivate []string
	Geo             string   // CSV file that says where addresses are, for the detector of impossible travel; "" turns it off
	ASN             string   // MaxMind DB file of autonomous systems, for the detector of guessing from one owner's networks; "" turns it off
	Breached        string   // file of SHA-1 or NTLM hashes of stolen passwords, sorted, as Have I Been Pwned gives it; "" for the built-in list alone
	WebhookAllow    []string // addresses and prefixes of own networks that webhooks, bridges and pictures of dashboards may reach; default none: only public addresses
	TriggerRate     int      // how often a minute one trigger does something, over some time; default 60; below 0 is without limit
	Quota           []string // how many a space may have, KIND=NUMBER each (0: any number); see org.DefaultLimits for what is not named

	Social []Social // whom else people can sign in with, in the order of their buttons; only in the TOML file

	Provisioning string // folder of the programs that boards are provisioned with; default Data/provisioning

	LogLevel  string // debug, info, warn or error
	LogFormat string // text or json; default text on a terminal
}

// hostName is RFC 1123, section 2.1, in lower case.
var hostName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?(\.[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?)*$`)

// Filled returns c with the defaults that depend on other fields, or says which
// value cannot be used and why.
func (c Config) Filled() (Config, error) {
	var wrong []error
	fail := func(key, format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("%s: "+format, append([]any{key}, args...)...))
	}
	if c.Data == "" {
		fail("data", "say where to keep the data (--data DIR)")
	}
	c.Host = strings.ToLower(orElse(c.Host, "localhost"))
	for i, n := range append([]string{c.Host}, c.SAN...) {
		if net.ParseIP(n) == nil && !hostName.MatchString(strings.ToLower(strings.TrimPrefix(n, "*."))) {
			key := "san"
			if i == 0 {
				key = "host"
			}
			fail(key, "%q is neither a host name nor an address", n)
		}
	}
	c = c.withAddresses()
	for key, addr := range map[string]string{
		"https-addr": c.HTTPS, "wss-addr": c.WebSocket, "redirect-addr": c.Redirect, "mqtt-cert-addr": c.MQTTCert,
		"mqtt-cert-legacy-addr": c.MQTTLegacy, "mqtt-password-addr": c.MQTTPassword, "metrics-addr": c.Metrics,
	} {
		if addr == "" {
			continue
		}
		if _, _, err := net.SplitHostPort(addr); err != nil {
			fail(key, "%q is not host:port (\":8443\" is every address of this machine)", addr)
		}
	}
	if c.Database != "" {
		u, err := url.Parse(c.Database)
		if err != nil || (u.Scheme != "postgres" && u.Scheme != "postgresql") {
			fail("database", "must be a postgres:// address, or nothing for the embedded one")
		}
	}
	if u, err := url.Parse(c.Issuer); c.Issuer != "" && (err != nil || u.Scheme != "https" || u.Host == "" || strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil) {
		fail("issuer", "%q is not https://host or https://host:port", c.Issuer)
	}
	if (c.TLSCert == "") != (c.TLSKey == "") {
		fail("tls-cert", "a certificate needs its key and a key its certificate (tls-key)")
	}
	switch c.SignUp = orElse(c.SignUp, "open"); c.SignUp {
	case "open", "closed":
	default:
		fail("sign-up", "%q is neither open nor closed", c.SignUp)
	}
	if c.HistoryFlush < 0 {
		fail("history-flush", "%d values are fewer than none", c.HistoryFlush)
	}
	c, mailWrong := c.withMail()
	for key, err := range mailWrong {
		fail(key, "%v", err)
	}
	c, socialWrong := c.withSocial()
	for _, err := range socialWrong {
		fail("social", "%v", err)
	}
	if _, err := rest.ParseProxies(c.TrustedProxies); err != nil {
		fail("trusted-proxies", "%v", err)
	}
	if _, err := rest.ParseProxies(c.OutboundPrivate); err != nil {
		fail("outbound-private", "%v", err)
	}
	if _, err := rest.ParseProxies(c.WebhookAllow); err != nil {
		fail("webhook-allow", "%v", err)
	}
	if _, err := org.ParseLimits(c.Quota); err != nil {
		fail("quota", "%v", err)
	}
	c.LogLevel = orElse(c.LogLevel, "info")
	switch c.LogLevel {
	case "debug", "info", "warn", "error":
	default:
		fail("log-level", "%q is none of debug, info, warn, error", c.LogLevel)
	}
	switch c.LogFormat {
	case "", "text", "json":
	default:
		fail("log-format", "%q is neither text nor json", c.LogFormat)
	}
	return c, errors.Join(wrong...)
}

// private are the prefixes of OutboundPrivate.
func (c Config) private() []netip.Prefix {
	all, _ := rest.ParseProxies(c.OutboundPrivate) // Filled has refused what cannot be read
	return all
}

// withAddresses fills in the listeners: those of production when we may bind
// them, loopback otherwise.
func (c Config) withAddresses() Config {
	local := c.Dev || os.Geteuid() != 0
	at := func(port string) string {
		if local {
			return "127.0.0.1:" + port
		}
		return ":" + port
	}
	if c.HTTPS == "" {
		c.HTTPS = at("8443")
		if !local {
			c.HTTPS = ":443"
			c.WebSocket = orElse(c.WebSocket, ":8443")
			c.Redirect = orElse(c.Redirect, ":80")
		}
	}
	c.MQTTCert = orElse(c.MQTTCert, at("8885"))
	c.MQTTLegacy = orElse(c.MQTTLegacy, at("8883"))
	c.MQTTPassword = orElse(c.MQTTPassword, at("8884"))
	c.Metrics = orElse(c.Metrics, "127.0.0.1:9464")
	return c
}

// loopback says whether addr can be reached from this machine only.
func loopback(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || (err == nil && ip.IsLoopback())
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
