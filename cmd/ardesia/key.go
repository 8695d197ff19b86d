package main

import (
	"path/filepath"

	"github.com/spf13/cobra"
)

// lock are the flags that say how a new key file is locked.
type lock struct{ stdin, none bool }

func (l *lock) flags(c *cobra.Command) {
	c.Flags().BoolVar(&l.stdin, "passphrase-stdin", false, "lock it by a passphrase: the first line of standard input")
	c.Flags().BoolVar(&l.none, "no-passphrase", false, "keep it safe by its file mode alone")
	c.MarkFlagsOneRequired("passphrase-stdin", "no-passphrase")
	c.MarkFlagsMutuallyExclusive("passphrase-stdin", "no-passphrase")
}

func (l *lock) read(c *cobra.Command) (string, error) {
	if l.none {
		return "", nil
	}
	return password(c, true)
}

func key() *cobra.Command {
	var to lock
	rotate := verb("rotate", "Take a new root key; the old one opens nothing any more but older backups", "key.rotate", []string{"old", "new", "file"}, cobra.NoArgs,
		func(c *cobra.Command, _ []string) (any, error) {
			passphrase, err := to.read(c)
			return map[string]any{"passphrase": passphrase, "plain": to.none}, err
		})
	rotate.Long = `Take a new root key, or set, change or take away its passphrase, while the server runs or not.
From then on a start needs the new passphrase in ARDESIA_ROOT_PASSPHRASE. Make a backup
afterwards, and put a copy of DATA/keys/root.key where you keep such things.
Steps: docs/acts/rotate-root-key.md`
	to.flags(rotate)

	var of lock
	var file string
	recovery := verb("recovery", "Make a recovery key, which opens every backup from now on", "key.recovery", []string{"file"}, cobra.NoArgs,
		func(c *cobra.Command, _ []string) (any, error) {
			passphrase, err := of.read(c)
			if err != nil {
				return nil, err
			}
			abs, err := filepath.Abs(file)
			return map[string]any{"file": abs, "passphrase": passphrase, "plain": of.none}, err
		})
	recovery.Long = `Make a recovery key. Only its public half stays on this machine: take FILE away to where
you keep such things. It opens every backup from now on (ardesia restore --recovery-key), also
when the root key is lost or was rotated. An older recovery key opens older backups only.`
	recovery.Flags().StringVarP(&file, "out", "o", "recovery.key", "file that gets it; must not be there")
	of.flags(recovery)
	return group("key", "The keys that all others hang on", rotate, recovery)
}
