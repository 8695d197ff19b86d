package signin

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/people/account"
)

// wireExport is what this server knows of a person, as the person gets it.
type wireExport struct {
	ID        string          `json:"id"`
	Email     string          `json:"email"`
	Name      string          `json:"name"`
	CreatedAt time.Time       `json:"created_at"`
	Verified  *time.Time      `json:"email_verified_at,omitempty"`
	Leaving   *time.Time      `json:"erased_at,omitempty"`
	Profile   account.Profile `json:"profile"`
	Sessions  []wireSession   `json:"sessions"`
	Keys      []wireKey       `json:"api_keys"`
	Further   []wireAddress   `json:"further_emails"`
	Choices   account.Choices `json:"choices"`
	Steps     wireSteps       `json:"second_steps"`
	Spaces    []wireSpace     `json:"spaces"`
}

type wireAddress struct {
	Email    string    `json:"email"`
	ProvedAt time.Time `json:"proved_at"`
}

type wireSteps struct {
	App      bool          `json:"authenticator_app"`
	Codes    int           `json:"recovery_codes"`
	Passkeys []wirePasskey `json:"passkeys"`
}

type wirePasskey struct {
	Label  string     `json:"label"`
	MadeAt time.Time  `json:"created_at"`
	UsedAt *time.Time `json:"last_used_at,omitempty"`
}

type wireSpace struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Kind string `json:"kind"`
	Role string `json:"role"`
}

type wireSession struct {
	Device   string    `json:"device"`
	Address  string    `json:"address"`
	Methods  []string  `json:"methods"`
	BeganAt  time.Time `json:"began_at"`
	LastUsed time.Time `json:"last_used_at"`
}

type wireKey struct {
	ID        string     `json:"client_id"`
	Name      string     `json:"name"`
	CreatedAt time.Time  `json:"created_at"`
	UsedAt    *time.Time `json:"last_used_at,omitempty"`
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	Space     string     `json:"space,omitempty"`
	Role      string     `json:"role,omitempty"`
	Revoked   bool       `json:"revoked"`
}

// Export is a ZIP archive of what this server knows of a person: account.json, and the picture.
func (s *Service) Export(ctx context.Context, user string) ([]byte, error) {
	u, err := s.needs.Accounts.Get(ctx, user)
	if err != nil {
		return nil, err
	}
	out := wireExport{ID: u.ID, Email: u.Email, Name: u.Name, CreatedAt: u.CreatedAt, Verified: maybe(u.VerifiedAt), Leaving: maybe(u.LeavingAt)}
	if out.Profile, err = s.needs.Accounts.Profile(ctx, user); err != nil {
		return nil, err
	}
	all, err := s.Sessions(ctx, user)
	if err != nil {
		return nil, err
	}
	for _, one := range all {
		out.Sessions = append(out.Sessions, wireSession{one.Device, one.Address, one.Methods, one.MadeAt, one.UsedAt})
	}
	keys, err := s.needs.APIKeys.List(ctx, user)
	if err != nil {
		return nil, err
	}
	for _, k := range keys {
		out.Keys = append(out.Keys, wireKey{k.ID, k.Name, k.CreatedAt, maybe(k.UsedAt), maybe(k.ExpiresAt), k.Space, string(k.Role), k.Revoked()})
	}
	if err := s.exportMore(ctx, user, &out); err != nil {
		return nil, err
	}
	text, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{"account.json": append(text, '\n')}
	image, media, err := s.needs.Accounts.Picture(ctx, user)
	if err != nil {
		return nil, err
	}
	if image != nil {
		files["picture."+strings.TrimPrefix(media, "image/")] = image
	}
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, content := range files {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Deflate, Modified: s.needs.Now().UTC()})
		if err != nil {
			return nil, err
		}
		if _, err := w.Write(content); err != nil {
			return nil, err
		}
	}
	if err := z.Close(); err != nil { // writes the directory at the archive's end
		return nil, err
	}
	return b.Bytes(), nil
}

// exportMore adds what other rooms know: addresses, choices, second steps and spaces.
func (s *Service) exportMore(ctx context.Context, user string, out *wireExport) error {
	further, err := s.needs.Accounts.Further(ctx, user)
	if err != nil {
		return err
	}
	for _, f := range further {
		out.Further = append(out.Further, wireAddress{f.Email, f.ProvedAt})
	}
	if out.Choices, err = s.needs.Accounts.Choices(ctx, user); err != nil {
		return err
	}
	set, err := s.needs.Factors.Of(ctx, user)
	if err != nil {
		return err
	}
	out.Steps = wireSteps{App: set.TOTP, Codes: set.RecoveryLeft}
	for _, k := range set.Passkeys {
		out.Steps.Passkeys = append(out.Steps.Passkeys, wirePasskey{k.Label, k.MadeAt, maybe(k.UsedAt)})
	}
	if s.needs.Spaces == nil {
		return nil
	}
	spaces, err := s.needs.Spaces.Of(ctx, user)
	for _, m := range spaces {
		out.Spaces = append(out.Spaces, wireSpace{m.ID, m.Name, m.Kind, string(m.Role)})
	}
	return err
}

func maybe(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

func (s *Service) postExport(v *visit) error {
	archive, err := s.Export(v.r.Context(), v.user.ID)
	if err != nil {
		return fmt.Errorf("export account %s: %w", v.user.ID, err)
	}
	h := v.w.Header()
	h.Set("Content-Type", "application/zip")
	h.Set("Content-Disposition", `attachment; filename="ardesia-account.zip"`)
	_, _ = v.w.Write(archive)
	return nil
}
