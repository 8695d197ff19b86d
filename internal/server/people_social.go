package server

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/people/account"
	"github.com/ardesia-iot/ardesia/internal/people/social"
)

// Social is one provider that people can sign in with: a table [[social]] of the TOML file. SocialSettings are its keys.
type Social struct {
	social.Config        // its secrets are read by social
	Kind          string // google, github, apple or oidc
	SecretFile    string // whose first line is the client secret
	KeyFile       string // Apple's .p8 file
	CAFile        string // PEM file of who signed the provider's certificate; "" is whom this machine trusts
}

// SocialSettings lists the keys of a table [[social]], with the places where their values go.
func SocialSettings(p *Social) []Setting {
	return []Setting{
		{Name: "id", Usage: "in the return address https://id.HOST/signin/with/ID; default the kind", Value: &p.ID},
		{Name: "kind", Usage: "google, github, apple or oidc", Value: &p.Kind},
		{Name: "name", Usage: "as it stands on the button; only oidc needs it", Value: &p.Name},
		{Name: "issuer", Usage: "https:// address; only oidc needs it, and github where it is a server of your own", Value: &p.Issuer},
		{Name: "client-id", Usage: "what the provider calls this server", Value: &p.ClientID},
		{Name: "client-secret-file", Usage: "file whose first line is the client secret; all but apple", Value: &p.SecretFile},
		{Name: "team-id", Usage: "apple: ten letters and digits", Value: &p.TeamID},
		{Name: "key-id", Usage: "apple: ten letters and digits", Value: &p.KeyID},
		{Name: "key-file", Usage: "apple: the .p8 file", Value: &p.KeyFile},
		{Name: "ca-file", Usage: "PEM file of who signed the provider's certificate (default: whom this machine trusts)", Value: &p.CAFile},
		{Name: "allow-private", Usage: "let this server connect to the provider at addresses that are not public", Value: &p.AllowPrivate},
	}
}

// maxProviders is how many buttons fit on a page.
const maxProviders = 10

// withSocial fills in what is known of providers, or says what cannot be used. It reads no file.
func (c Config) withSocial() (Config, []error) {
	var wrong []error
	if len(c.Social) > maxProviders {
		return c, []error{fmt.Errorf("at most %d providers", maxProviders)}
	}
	all, seen := make([]Social, 0, len(c.Social)), map[string]bool{}
	for i, p := range c.Social {
		fail := func(err error) {
			wrong = append(wrong, fmt.Errorf("table %d (%s): %w", i+1, orElse(p.ID, p.Kind), err))
		}
		p.Config.Kind = social.Kind(p.Kind)
		filled, err := p.Config.Filled()
		if err != nil {
			fail(err)
			continue
		}
		p.Config = filled
		switch apple := filled.Kind == social.Apple; {
		case apple && (p.KeyFile == "" || p.SecretFile != ""):
			fail(errors.New("key_file: say where Apple's .p8 file is; Apple has no client_secret_file"))
		case !apple && (p.SecretFile == "" || p.KeyFile != ""):
			fail(errors.New("client_secret_file: say in which file the client secret is; only apple has a key_file"))
		case seen[p.ID]:
			fail(errors.New("id: another table has it"))
		}
		seen[p.ID] = true
		all = append(all, p)
	}
	c.Social = all
	return c, wrong
}

// read is the provider with what its files hold.
func (p Social) read() (social.Config, error) {
	c := p.Config
	fail := func(key string, err error) (social.Config, error) {
		return c, fmt.Errorf("social %s: %s: %w", p.ID, key, err)
	}
	var err error
	if p.SecretFile != "" {
		if c.Secret, err = readPassword(p.SecretFile); err != nil {
			return fail("client_secret_file", err)
		}
	}
	if p.KeyFile != "" {
		text, err := readGuarded(p.KeyFile)
		if err == nil {
			c.Key, err = social.ParseAppleKey(text)
		}
		if err != nil {
			return fail("key_file", err)
		}
	}
	if p.CAFile != "" {
		text, err := os.ReadFile(p.CAFile)
		if err != nil {
			return fail("ca_file", err)
		}
		c.Roots = x509.NewCertPool()
		if !c.Roots.AppendCertsFromPEM(text) {
			return fail("ca_file", fmt.Errorf("%s holds no certificate", p.CAFile))
		}
	}
	return c, nil
}

// peopleSocial makes the room of those elsewhere whom people sign in with.
func (s *Server) peopleSocial() (err error) {
	var all []social.Config
	for _, p := range s.cfg.Social {
		c, err := p.read()
		if err != nil {
			return err
		}
		all = append(all, c)
	}
	s.social, err = social.New(social.Needs{
		Store: social.SQL(s.data.core), Keys: s.data.ring, Policy: s.policy, Known: s.hasAccount, Now: s.world.Now, Providers: all,
	})
	return err
}

func (s *Server) hasAccount(ctx context.Context, user string) (bool, error) {
	_, err := s.accounts.HasPassword(ctx, user)
	if errors.Is(err, account.ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}

// examineSocial says of each provider whether it answers.
func examineSocial(ctx context.Context, cfg Config, now func() time.Time) []Finding {
	var all []Finding
	for _, p := range cfg.Social {
		if p.AllowPrivate {
			all = append(all, Finding{Warn, "This server may connect to addresses that are not public for " + p.Name + " (allow_private).", "leave it out where the provider is on the Internet"})
		}
		c, err := p.read()
		if err != nil {
			all = append(all, Finding{Bad, "The next start fails: " + err.Error(), "mend that file, or leave the table [[social]] out"})
			continue
		}
		at := c.Issuer
		if u, err := url.Parse(at); err == nil {
			at = u.Host
		}
		if err := social.Check(ctx, c, now); err != nil {
			all = append(all, Finding{Warn, fmt.Sprintf("Nobody can sign in with %s: %v.", p.Name, strings.TrimSuffix(err.Error(), ".")), "is the issuer right, and does a firewall let this machine through to " + at + "?"})
			continue
		}
		all = append(all, Finding{Good, p.Name + " answers (" + at + ").", ""})
	}
	return all
}

// readGuarded reads a short file that not everybody may read.
func readGuarded(path string) (text []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("everybody on this machine can read %s: chmod o= %s", path, path)
	}
	return io.ReadAll(io.LimitReader(f, maxPasswordFile))
}
