package keys

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/keyset"
)

// Erase destroys keys of one kind: what they sealed can never be read again, here or in any
// archive of data. It does not matter whether there were such keys. When it returns nil that is on
// disk; when it returns an error, call it again: each step may be repeated. Its time is Rewrap's,
// however many ids there are: whoever has several gives them at once.
//
// The numbers are those of docs/acts/erase-space.md; steps 1 to 3, who may do it,
// the entry in the journal and the rows of the rooms, are the caller's.
func (g *Ring) Erase(ctx context.Context, kind string, ids ...string) error {
	switch kind {
	case KindSpace, KindPerson, KindSigner, KindThing, KindDevice:
	default:
		return ErrName.With("A key to erase is of a space, a person, a signer, a thing or a device.")
	}
	for _, id := range ids {
		if err := checkName(id); err != nil {
			return err
		}
	}
	// 4. The sealed keys are overwritten, their ids marked for ever, and the copies in memory made useless.
	for some := range slices.Chunk(ids, perErase) {
		if err := g.table.mark(ctx, kind, some, g.now()); err != nil {
			return fmt.Errorf("erase key of %s: %w", named(kind, some), err)
		}
		for _, id := range some {
			g.drop(ref{kind, id})
		}
		if err := g.step("clear the row"); err != nil {
			return err
		}
		if err := g.table.clear(ctx, kind, some); err != nil {
			return fmt.Errorf("clear key of %s: %w", named(kind, some), err)
		}
	}
	if len(ids) == 0 {
		return nil
	}
	// 5. What is left of the rows in logs and dead pages of the database becomes useless too.
	if err := g.Rewrap(ctx); err != nil {
		return fmt.Errorf("erase what is left of key of %s: %w", named(kind, ids), err)
	}
	return nil
}

// perErase is how many rows one transaction of Erase changes: others wait for it.
const perErase = 500

// named says which keys an error is about.
func named(kind string, ids []string) string {
	if len(ids) == 1 {
		return ref{kind, ids[0]}.String()
	}
	return fmt.Sprintf("%s and %d more", ref{kind, ids[0]}, len(ids)-1)
}

// Erased tells the ids of one kind whose keys were erased, in order. After a restore with
// an older archive of data these are the ones whose rows are there again.
func (g *Ring) Erased(ctx context.Context, kind string) ([]string, error) {
	ids, err := g.table.erased(ctx, kind)
	if err != nil {
		return nil, fmt.Errorf("list erased keys: %w", err)
	}
	return ids, nil
}

// Rewrap takes a new keyring key and seals every row again under it, then forgets the old one:
// whatever copy of a row lies in a write-ahead log, a dead page or a lost disk
// cannot be opened with the keys.json of now. 10,000 rows take less than a second.
//
// Cut off between any two steps, the next opening goes on where it stopped.
func (g *Ring) Rewrap(ctx context.Context) error {
	g.hold.Lock() // one at a time, and not while a backup copies the keyring
	defer g.hold.Unlock()
	release, err := lock(g.root.disk.path("rewrap.lock")) // one at a time in all processes
	if err != nil {
		return fmt.Errorf("lock the keyring: %w", err)
	}
	defer release()

	// 5.1. keys.json knows the new key beside the old one.
	if err := g.nextKey(ctx); err != nil {
		return fmt.Errorf("make a new keyring key: %w", err)
	}
	rows := g.rows()
	if err := g.step("use the new keyring key"); err != nil {
		return err
	}
	// 5.2. From here on new rows are sealed under it.
	sealed, err := rows.Seal([]byte(g.root.store), g.rowPlace(wrapRow))
	if err != nil {
		return err
	}
	if err := g.table.setWrap(ctx, rows.id(), sealed); err != nil {
		return fmt.Errorf("begin to use keyring key %08x: %w", rows.id(), err)
	}
	// 5.3. The rows that there are, some at a time.
	for {
		if err := g.step("seal rows again"); err != nil {
			return err
		}
		n, err := g.table.rewrap(ctx, rows.id(), func(one row) ([]byte, error) {
			b, err := rows.Open(one.sealed, g.rowPlace(one.ref))
			if err != nil {
				return nil, fmt.Errorf("key of %s: %w", one.ref, err)
			}
			defer clear(b)
			return rows.Seal(b, g.rowPlace(one.ref))
		})
		if err != nil {
			return fmt.Errorf("seal rows under keyring key %08x: %w", rows.id(), err)
		}
		if n == 0 {
			break
		}
	}
	// 5.4. keys.json forgets the old key.
	return g.root.change(ctx, func(v vault) (vault, error) { return v.only(rows.id()) })
}

// step is where a test may cut the power.
func (g *Ring) step(name string) error { return g.root.disk.step(name) }

// nextKey adds a key to the keyring keyset, unless a Rewrap that was cut off did already.
func (g *Ring) nextKey(ctx context.Context) error {
	return g.root.change(ctx, func(v vault) (vault, error) {
		h, err := readKeyset(v.secret(keyringKey))
		if err != nil || h.Len() > 1 {
			return v, err
		}
		m := keyset.NewManagerFromHandle(h)
		id, err := m.Add(aead.XAES256GCM192BitNonceKeyTemplate())
		if err == nil {
			err = m.SetPrimary(id)
		}
		if err != nil {
			return v, err
		}
		return v.withKeyring(m, g.now())
	})
}

// only leaves the one key that seals in the keyring keyset.
func (v vault) only(id uint32) (vault, error) {
	h, err := readKeyset(v.secret(keyringKey))
	if err != nil {
		return v, err
	}
	m := keyset.NewManagerFromHandle(h)
	for i := range h.Len() {
		e, err := h.Entry(i)
		switch {
		case err != nil:
		case e.KeyID() == id && !e.IsPrimary():
			err = fmt.Errorf("key %08x seals no more", id)
		case e.KeyID() != id:
			err = m.Delete(e.KeyID())
		}
		if err != nil {
			return v, err
		}
	}
	for _, k := range v.Keys {
		if k.Name == keyringKey {
			return v.withKeyring(m, k.MadeAt)
		}
	}
	return v, nil
}

func (v vault) withKeyring(m *keyset.Manager, at time.Time) (vault, error) {
	h, err := m.Handle()
	if err != nil {
		return v, err
	}
	return v.with(keyringKey, writeKeyset(h), at), nil
}

// Hold keeps the rows of the keyring and keys.json together until release is
// called: what is copied of the database meanwhile can be opened with what Export gives meanwhile. Erasures wait.
func (g *Ring) Hold() (release func()) {
	g.hold.RLock()
	return g.hold.RUnlock
}

// Check opens every row of the keyring: what a backup does to see that it can be restored.
// It returns how many there are that are not erased.
func (g *Ring) Check(ctx context.Context) (int, error) {
	n := 0
	err := g.table.all(ctx, func(one row) error {
		b, err := g.openRow(one)
		clear(b)
		if err != nil {
			return fmt.Errorf("key of %s: %w", one.ref, err)
		}
		n++
		return nil
	})
	return n, err
}
