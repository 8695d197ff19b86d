package fault

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ardesia-iot/ardesia/internal/server"
	"github.com/ardesia-iot/ardesia/internal/servertest"
)

// Whoever has seen where the doors are can administer, at once.
func TestAdministerOnceAnnounced(t *testing.T) {
	p := servertest.NewProgram(t, program)
	for range 5 {
		p.Start()
		p.Admin("ping", struct{}{}, nil)
		p.Stop()
	}
}

// Who is told to stop while starting stops, and that is no failure.
func TestStoppedWhileStarting(t *testing.T) {
	r := chance(t)
	for range 5 {
		p := servertest.NewProgram(t, program)
		p.Launch()
		for late := time.Now().Add(patience); ; {
			if _, err := os.Stat(filepath.Join(p.Config.Data, "lock")); err == nil {
				break
			}
			if time.Now().After(late) {
				t.Fatal("the program did not take its directory")
			}
			<-time.After(time.Millisecond)
		}
		<-time.After(time.Duration(r.IntN(100)) * time.Millisecond)
		p.Stop()
	}
}

// The doctor reads every page of a stopped installation, not only those that a start needs.
func TestDoctorFindsDamage(t *testing.T) {
	for _, name := range []string{"core.db", "history.db", "keyring.db"} {
		t.Run(name, func(t *testing.T) {
			p := servertest.NewProgram(t, program)
			p.Start()
			newOwner(t, p)
			p.Stop()
			p.Doctor()
			path := filepath.Join(p.Config.Data, name)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			text[len(text)-100] ^= 1 // in the last page
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
			bad := ""
			for _, f := range server.Examine(t.Context(), p.Config, time.Now) {
				if f.Grade == server.Bad {
					bad += f.Text + "\n"
				}
			}
			if !strings.Contains(bad, name) {
				t.Errorf("of a flipped bit in %s the doctor says %q", name, bad)
			}
		})
	}
}
