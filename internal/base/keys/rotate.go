package keys

import (
	"context"
	"fmt"
)

// Rotate takes a new root key and wraps keys.json by it. Nothing below changes:
// no database is written, no archive becomes unreadable, and the server may go on. It is
// also how a passphrase is set, changed or taken away, and how the root key moves
// into a token and back: to says what the new one is.
//
// The numbers are those of docs/acts/rotate-root-key.md; steps 1 and 2, who may
// do it and the entry in the journal, are the caller's. A power cut before step 4
// leaves the old root key in force, one after it the new; the next OpenRoot clears up.
func (r *Root) Rotate(ctx context.Context, to Options) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	release, err := r.disk.open()
	if err != nil {
		return err
	}
	defer release()

	// 3. The new root key, beside the old one.
	next := to.Root
	if next == nil {
		to.Now = r.now
		if next, err = r.disk.makeRootFile(nextName, to); err != nil {
			return fmt.Errorf("make a new root key: %w", err)
		}
	}
	// 4. The moment of change: keys.json under a new key of its own, wrapped by the new root key.
	v, err := r.reread(ctx)
	if err == nil {
		err = r.rewrite(ctx, next, v)
	}
	if err != nil {
		return fmt.Errorf("wrap keys by root key %s: %w", next.ID(), err)
	}
	r.root = next
	if err := r.take(v); err != nil {
		return err
	}
	// 5. The old root key is overwritten, and the new one takes its place.
	if err := r.disk.settle(next.ID(), to.Root != nil); err != nil {
		return fmt.Errorf("put root key %s in its place (the next start tries again): %w", next.ID(), err)
	}
	return nil
}
