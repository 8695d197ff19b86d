package server

import (
	"fmt"
	"strings"
)

// A Setting is one thing that an operator can say, under one name everywhere:
// flag --mqtt-cert-addr, environment ARDESIA_MQTT_CERT_ADDR, key mqtt_cert_addr of
// the TOML file. A flag wins over the environment, which wins over the file.
type Setting struct {
	Name  string // of the flag
	Usage string // one line: unit, default, effect
	Value any    // *string, *bool, *int or *[]string inside a Config
	// Secret values are shown as dots by "config show".
	Secret bool
}

// Key is the setting's name in the TOML file.
func (s Setting) Key() string { return strings.ReplaceAll(s.Name, "-", "_") }

// Env is the setting's name in the environment.
func (s Setting) Env() string { return "ARDESIA_" + strings.ToUpper(s.Key()) }

// Settings lists all settings with the places in c where their values go.
func Settings(c *Config) []Setting {
	return []Setting{
		{Name: "data", Usage: "directory of everything that must not be lost; made when missing", Value: &c.Data},
		{Name: "host", Usage: "name under which clients reach this server (default localhost)", Value: &c.Host},
		{Name: "san", Usage: "further names or addresses in the server's certificate", Value: &c.SAN},
		{Name: "issuer", Usage: "https:// address where people sign in, which tokens name as their issuer (default https://id.HOST; for localhost, an address or with --dev the web's own)", Value: &c.Issuer},
		{Name: "database", Usage: "postgres:// address of the system of record (default: embedded, inside data)", Value: &c.Database, Secret: true},
		{Name: "dev", Usage: "development: everything on loopback, web and API on 8443", Value: &c.Dev},
		{Name: "demo", Usage: "add a sample account and a simulated board that sends a temperature each second", Value: &c.Demo},
		{Name: "https-addr", Usage: "web and API (default :443; without privileges or with --dev 127.0.0.1:8443)", Value: &c.HTTPS},
		{Name: "wss-addr", Usage: "MQTT over WebSocket when not beside the web (default :8443 in production)", Value: &c.WebSocket},
		{Name: "redirect-addr", Usage: "plain HTTP that sends browsers to HTTPS (default :80 in production)", Value: &c.Redirect},
		{Name: "mqtt-cert-addr", Usage: "MQTT for boards with a certificate (default port 8885)", Value: &c.MQTTCert},
		{Name: "mqtt-cert-legacy-addr", Usage: "the same for boards with ArduinoIoTCloud before 2.3 (default port 8883)", Value: &c.MQTTLegacy},
		{Name: "mqtt-password-addr", Usage: "MQTT for boards with device id and secret key (default port 8884)", Value: &c.MQTTPassword},
		{Name: "metrics-addr", Usage: "Prometheus metrics, plain HTTP (default 127.0.0.1:9464)", Value: &c.Metrics},
		{Name: "tls-cert", Usage: "PEM file of a certificate that somebody else issued (default: own authority in data/tls)", Value: &c.TLSCert},
		{Name: "tls-key", Usage: "PEM file of that certificate's key", Value: &c.TLSKey},
		{Name: "sign-up", Usage: "who makes accounts: open (whoever can read mail) or closed (the operator only) (default open)", Value: &c.SignUp},
		{Name: "history-flush", Usage: "values that history keeps in its log before it writes them to chunks; fewer make a start after a crash faster and writing dearer (default 2000000)", Value: &c.HistoryFlush},
		{Name: "api-rate", Usage: "requests per minute of one API key or user, a sixth of them at once (default 600; -1 for no limit)", Value: &c.APIRate},
		{Name: "open-rate", Usage: "requests per minute of one address where no token is needed, as to get one (default 3000; -1 for no limit)", Value: &c.OpenRate},
		{Name: "smtp-addr", Usage: "host:port of the mail server for letters to people (default: letters go into data/mail)", Value: &c.SMTPAddr},
		{Name: "smtp-user", Usage: "user at the mail server", Value: &c.SMTPUser},
		{Name: "smtp-password-file", Usage: "file whose first line is that user's password", Value: &c.SMTPPasswordFile},
		{Name: "smtp-tls", Usage: "starttls, implicit, or none if the mail server is on this machine (default implicit on port 465, else starttls)", Value: &c.SMTPTLS},
		{Name: "smtp-ca", Usage: "PEM file of who signed the mail server's certificate (default: whom this machine trusts)", Value: &c.SMTPCA},
		{Name: "mail-from", Usage: "sender of letters (default Ardesia <ardesia@HOST>)", Value: &c.MailFrom},
		{Name: "token-rate", Usage: "tokens per minute that one API key gets (default 60; -1 for no limit)", Value: &c.TokenRate},
		{Name: "trusted-proxies", Usage: "addresses or prefixes of proxies in front, whose X-Forwarded-For is believed (default none)", Value: &c.TrustedProxies},
		{Name: "outbound-private", Usage: "addresses or prefixes in your own network where programs may be told that somebody has signed out (default none: public addresses only)", Value: &c.OutboundPrivate},
		{Name: "geo", Usage: "CSV file that says where addresses are; without it nobody looks for impossible travel", Value: &c.Geo},
		{Name: "asn", Usage: "MaxMind DB file (.mmdb) of autonomous systems; without it nobody looks for guessing from the networks of one owner", Value: &c.ASN},
		{Name: "breached", Usage: "sorted file of SHA-1 or NTLM hashes of stolen passwords that nobody may take (default: a built-in list of common ones)", Value: &c.Breached},
		{Name: "webhook-allow", Usage: "addresses or prefixes of your own networks that webhooks and pictures of users may reach, and brokers of their Home Assistants be in (default none: public addresses alone)", Value: &c.WebhookAllow},
		{Name: "trigger-rate", Usage: "how often a minute one trigger does something, over some time (default 60; -1 for no limit)", Value: &c.TriggerRate},
		{Name: "quota", Usage: "how many a space may have, such as devices=500,things=0 (0: any number) of devices, things, properties, members, apikeys, dashboards, triggers, notices of triggers a day, syncs (groups of synchronised properties), storage in MiB, values in a day of UTC and requests in a minute (default 100000, 100000, 1000000, 1000, 1000, 1000, 1000, 100000, 1000, 1024, any number and 6000)", Value: &c.Quota},
		{Name: "provisioning", Usage: "folder of the programs that boards are provisioned with, which are not ours to hand out (default DATA/provisioning)", Value: &c.Provisioning},
		{Name: "log-level", Usage: "debug, info, warn or error (default info)", Value: &c.LogLevel},
		{Name: "log-format", Usage: "text or json (default: text on a terminal, json elsewhere)", Value: &c.LogFormat},
	}
}

// Text is the setting's value for people; secrets are dots.
func (s Setting) Text() string {
	switch v := s.Value.(type) {
	case *string:
		if s.Secret && *v != "" {
			return "••••"
		}
		return *v
	case *bool:
		return fmt.Sprint(*v)
	case *int:
		return fmt.Sprint(*v)
	case *[]string:
		return strings.Join(*v, ",")
	}
	return ""
}
