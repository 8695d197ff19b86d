// Package schema is the history of the three databases: numbered SQL files, one
// text for both engines, and the result, which a test compares. Released files
// are never edited; a change is a new file with the next number.
package schema

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"strconv"

	"github.com/ardesia-iot/ardesia/internal/base/db"
)

// The databases.
const (
	Core    = "core"    // the system of record
	History = "history" // values over time
	Keyring = "keyring" // wrapped data keys
)

// Names are all databases.
var Names = []string{Core, History, Keyring}

//go:embed all:core all:history all:keyring
var files embed.FS

// Of is the history of one database, oldest first. A file's name begins with its
// number in four digits: 0002_device.sql.
func Of(name string) ([]db.Migration, error) { return read(files, name) }

func read(all fs.FS, name string) ([]db.Migration, error) {
	names, err := fs.Glob(all, name+"/*.sql") // sorted
	if err != nil {
		return nil, err
	}
	var migrations []db.Migration
	for _, path := range names {
		text, err := fs.ReadFile(all, path)
		if err != nil {
			return nil, err
		}
		file := path[len(name)+1:]
		number, err := strconv.Atoi(file[:min(4, len(file))])
		if err != nil || number < 1 || len(file) < 10 || file[4] != '_' {
			return nil, fmt.Errorf("migration %s has no number of four digits", path)
		}
		if n := len(migrations); n > 0 && migrations[n-1].Number == number {
			return nil, fmt.Errorf("migrations %s and %s have one number", migrations[n-1].Name, file)
		}
		migrations = append(migrations, db.Migration{Number: number, Name: file, Text: string(text)})
	}
	return migrations, nil
}

// Open opens the database that cfg.Schema names, with its whole history.
func Open(ctx context.Context, cfg db.Config) (*db.DB, error) {
	var err error
	if cfg.Migrations, err = Of(cfg.Schema); err != nil {
		return nil, err
	}
	return db.Open(ctx, cfg)
}
