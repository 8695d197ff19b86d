package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
	"github.com/ardesia-iot/ardesia/internal/ops/backup"
)

func backups() *cobra.Command {
	var to string
	var days int
	c := verb("backup", "Write an encrypted, signed backup that was restored once to see that it can be", "backup", []string{"data", "keyring"}, cobra.NoArgs,
		func(*cobra.Command, []string) (any, error) {
			dir, err := filepath.Abs(to)
			return map[string]any{"dir": dir, "keep_days": days}, err
		})
	c.Long = `Write a backup, while the server runs or not: two archives, encrypted and signed.

The data archive may be kept for as long as you like. The keyring archive is kept for
7 days, apart from the others, so that a space that is erased stays erased: a restore needs
one of each. A single thing that is erased can be read in older data archives:
--keep-days says for how long. Keep a copy of DATA/keys/root.key in a safe place: without it no archive opens.`
	c.Flags().StringVarP(&to, "out", "o", ".", "directory that gets the two archives")
	c.Flags().IntVar(&days, "keep-days", 0, "delete the data archives in that directory that are older, but for the newest (default 0: none)")
	return c
}

// recoveryVariable has the passphrase of a recovery key.
const recoveryVariable = "ARDESIA_RECOVERY_PASSPHRASE"

func restores() *cobra.Command {
	var q backup.Request
	var rootKey, recoveryKey string
	c := &cobra.Command{
		Use:   "restore --data DIR --data-archive FILE --keyring-archive FILE (--root-key FILE | --recovery-key FILE)",
		Short: "Make an installation of a backup, in an empty directory",
		Args:  cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if format, _ := c.Flags().GetString("format"); checkFormat(format) != nil {
				return checkFormat(format)
			}
			cfg, _, err := loadConfig(c.Flags(), os.LookupEnv)
			if err != nil {
				return err
			}
			if cfg.Data == "" {
				return errors.New("say where to: --data DIR, empty or not there")
			}
			passphrase := secret.New(os.Getenv(keys.PassphraseVariable))
			q.Dir, q.Database, q.Now = cfg.Data, cfg.Database, time.Now
			q.Keys = keys.Options{Passphrase: passphrase, Now: time.Now}
			if recoveryKey != "" {
				q.Access.Recovery, err = keys.ReadRecovery(recoveryKey, secret.New(os.Getenv(recoveryVariable)))
			} else {
				q.Access.Provider, err = keys.ReadRoot(rootKey, passphrase)
			}
			if err != nil {
				return err
			}
			report, err := backup.Restore(c.Context(), q)
			if err != nil {
				return err
			}
			text, err := json.Marshal(report)
			if err != nil {
				return err
			}
			if err := show(c, text, []string{"data_at", "keyring_at", "files", "keys"}); err != nil {
				return err
			}
			fmt.Fprintf(c.ErrOrStderr(), "Restored. Start it:  ardesia serve --data %s\n", cfg.Data)
			return nil
		},
	}
	adminFlags(c)
	f := c.Flags()
	f.String("format", "text", "text or json")
	f.StringVar(&q.Archives.Data, "data-archive", "", "the data archive")
	f.StringVar(&q.Archives.Keyring, "keyring-archive", "", "a keyring archive that was made with it or later")
	f.StringVar(&rootKey, "root-key", "", "the copy of keys/root.key (its passphrase in "+keys.PassphraseVariable+")")
	f.BoolVar(&q.OlderKeyring, "older-keyring", false, "accept a keyring archive from before the data archive; what came in between cannot be read")
	f.StringVar(&recoveryKey, "recovery-key", "", "the recovery key, when there is no root key (its passphrase in "+recoveryVariable+")")
	c.MarkFlagsOneRequired("root-key", "recovery-key")
	c.MarkFlagsMutuallyExclusive("root-key", "recovery-key")
	for _, name := range []string{"data-archive", "keyring-archive"} {
		_ = c.MarkFlagRequired(name)
	}
	return c
}
