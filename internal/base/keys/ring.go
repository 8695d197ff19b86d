package keys

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"hash"
	"sync"
	"time"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/prf"

	"github.com/ardesia-iot/ardesia/internal/base/cache"
	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/secret"
)

// The kinds of keys that Erase takes.
const (
	KindSpace  = "space"
	KindPerson = "person"
	KindSigner = "signer"
	KindThing  = "thing"  // lies under the key of its space
	KindDevice = "device" // the same

	kindPurpose = "purpose"
)

const (
	// cached bounds the keys held in memory: between n and 2n, about 2 KiB each. At the
	// bound the ones that were not used lately are read from the database again, some 50 µs.
	cached = 16384
	// freshFor is for how long a key is used without a look whether it still
	// exists: the time after which an erasure in one process has reached all others.
	freshFor = 5 * time.Minute
)

// A Ring gives out the keys of an open house. All methods may be called from any goroutine.
type Ring struct {
	root  *Root
	table table
	now   func() time.Time

	purposes prf.Set // for sealing; may have several generations
	indexes  prf.Set // for MAC; one for ever, or every index would have to be made again

	hold sync.RWMutex // for writing while the keyring key changes: rows and keys.json are not together then

	mu    sync.Mutex
	kept  *cache.Map[ref, keptKey]   // guarded by mu
	epoch int                        // guarded by mu: how many erasures there were
	named *cache.Map[string, Sealer] // of Purpose
}

// keptKey is a key in memory: a *sealer or a *signer.
type keptKey struct {
	key    any
	seenAt time.Time // when its row was last seen
}

// Ring opens the keyring with its database. A keyring that was written with other keys than these is ErrWrongKey.
func (r *Root) Ring(ctx context.Context, keyring *db.DB) (*Ring, error) {
	g := &Ring{
		root: r, table: table{keyring}, now: r.now,
		kept: cache.New[ref, keptKey](cached), named: cache.New[string, Sealer](64),
	}
	if err := g.checkWrap(ctx); err != nil {
		return nil, fmt.Errorf("open the keyring: %w", err)
	}
	for name, to := range map[string]*prf.Set{"seal": &g.purposes, "index": &g.indexes} {
		b, err := g.secret(ctx, ref{kindPurpose, name}, func() ([]byte, error) { return newKeyset(prf.HKDFSHA256PRFKeyTemplate()), nil })
		if err != nil {
			return nil, fmt.Errorf("open the keyring: %w", err)
		}
		h, err := readKeyset(b)
		if err != nil {
			return nil, fmt.Errorf("read key of purpose %s: %w", name, err)
		}
		set, err := prf.NewPRFSet(h)
		if err != nil {
			return nil, fmt.Errorf("read key of purpose %s: %w", name, err)
		}
		*to = *set
	}
	if len(g.rows().keys) > 1 { // a Rewrap was cut off
		if err := g.Rewrap(ctx); err != nil {
			return nil, fmt.Errorf("open the keyring: %w", err)
		}
	}
	return g, nil
}

func (g *Ring) rows() *sealer { return g.root.rows.Load() }

// rowPlace is what a row is bound to: a row that was moved to another id does not open.
func (g *Ring) rowPlace(who ref) []byte {
	return Place("key", g.root.store, who.kind, who.id)
}

// checkWrap makes sure that this database and keys.json belong together.
func (g *Ring) checkWrap(ctx context.Context) error {
	found, err := g.table.find(ctx, wrapRow)
	if errors.Is(err, sql.ErrNoRows) {
		found, err = g.makeRow(ctx, wrapRow, func() ([]byte, error) { return []byte(g.root.store), nil })
	}
	if err != nil && !errors.Is(err, errStale) {
		return err
	}
	_, err = g.rows().Open(found.sealed, g.rowPlace(wrapRow))
	if err != nil { // or another process changed the keyring key since OpenRoot
		if err := g.root.reload(ctx); err != nil {
			return fmt.Errorf("read keys again: %w", err)
		}
		if found, err = g.table.find(ctx, wrapRow); err == nil {
			_, err = g.rows().Open(found.sealed, g.rowPlace(wrapRow))
		}
	}
	if err != nil {
		return ErrWrongKey.With(fmt.Sprintf("The keyring database was written with another %s than this one. Give the data directory and the database that belong together.", g.root.disk.path(storeName)))
	}
	return nil
}

// secret returns the secret of one row, which make makes if there is none yet. Whoever is
// first makes it, in any process; all others get the same.
func (g *Ring) secret(ctx context.Context, who ref, make func() ([]byte, error)) ([]byte, error) {
	if err := checkName(who.id); err != nil {
		return nil, err
	}
	for try := 1; ; try++ {
		b, err := g.findOrMake(ctx, who, make)
		if err == nil {
			return b, nil
		}
		// Another process may have changed the keyring key; then keys.json has the new one.
		if try < maxReloads && errors.Is(err, ErrSeal) {
			if err := g.root.reload(ctx); err != nil {
				return nil, fmt.Errorf("read keys again for the key of %s: %w", who, err)
			}
			continue
		}
		return nil, fmt.Errorf("keyring database: key of %s: %w", who, err)
	}
}

// maxReloads bounds how often keys.json is read again for one key: once is enough
// unless others erase keys all the time.
const maxReloads = 16

func (g *Ring) findOrMake(ctx context.Context, who ref, make func() ([]byte, error)) ([]byte, error) {
	found, err := g.table.find(ctx, who)
	if errors.Is(err, sql.ErrNoRows) {
		found, err = g.makeRow(ctx, who, make)
	}
	if err != nil {
		return nil, err
	}
	return g.openRow(found)
}

// makeRow seals a fresh secret and puts it into the database.
func (g *Ring) makeRow(ctx context.Context, who ref, make func() ([]byte, error)) (row, error) {
	b, err := make()
	if err != nil {
		return row{}, err
	}
	defer clear(b)
	return g.table.add(ctx, who, g.rows().id(), func(by uint32) ([]byte, error) {
		under := g.rows().under(by)
		if under == nil { // made by another process; keys.json has it for as long as the database names it
			if err := g.root.reload(ctx); err != nil {
				return nil, fmt.Errorf("read keys again: %w", err)
			}
			if under = g.rows().under(by); under == nil {
				return nil, errStale
			}
		}
		return under.Seal(b, g.rowPlace(who))
	}, g.now())
}

func (g *Ring) openRow(r row) ([]byte, error) {
	if r.erased {
		return nil, ErrErased
	}
	return g.rows().Open(r.sealed, g.rowPlace(r.ref))
}

// keep returns the key that is in memory, or the one that read makes of the row.
func (g *Ring) keep(ctx context.Context, who ref, read func() (any, error)) (any, error) {
	for {
		g.mu.Lock()
		k, ok := g.kept.Get(who)
		epoch := g.epoch
		g.mu.Unlock()
		now := g.now()
		if ok && now.Sub(k.seenAt) < freshFor {
			return k.key, nil
		}
		if ok { // is it still there?
			found, err := g.table.find(ctx, who)
			if err != nil && !errors.Is(err, sql.ErrNoRows) {
				return nil, fmt.Errorf("look for the key of %s: %w", who, err)
			}
			if err != nil || found.erased {
				g.drop(who)
				return nil, fmt.Errorf("key of %s: %w", who, ErrErased)
			}
			k.seenAt = now
		} else {
			key, err := read()
			if err != nil {
				return nil, err
			}
			k = keptKey{key, now}
		}
		g.mu.Lock()
		if g.epoch != epoch { // somebody erased a key meanwhile, perhaps this one
			g.mu.Unlock()
			continue
		}
		// Everybody gets the one that was first, so that an erasure reaches them all.
		if first, ok := g.kept.Get(who); ok {
			k.key = first.key
		}
		g.kept.Set(who, k)
		g.mu.Unlock()
		return k.key, nil
	}
}

// drop forgets a key that was erased, and makes it useless to those who hold it.
func (g *Ring) drop(who ref) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.epoch++
	k, ok := g.kept.Get(who)
	if !ok {
		return
	}
	g.kept.Delete(who)
	switch key := k.key.(type) {
	case *sealer:
		key.erase()
	case *signer:
		key.erased.Store(true)
	}
}

func (g *Ring) data(ctx context.Context, who ref) (*sealer, error) {
	key, err := g.keep(ctx, who, func() (any, error) {
		b, err := g.secret(ctx, who, func() ([]byte, error) { return newKeyset(aead.XAES256GCM192BitNonceKeyTemplate()), nil })
		if err != nil {
			return nil, err
		}
		defer clear(b)
		h, err := readKeyset(b)
		if err != nil {
			return nil, fmt.Errorf("read key of %s: %w", who, err)
		}
		s, err := newSealer(h)
		if err != nil {
			return nil, fmt.Errorf("read key of %s: %w", who, err)
		}
		return s, nil
	})
	if err != nil {
		return nil, err
	}
	return key.(*sealer), nil
}

// Space returns the data key of a space, which is made on first use. After Erase it is ErrErased.
func (g *Ring) Space(ctx context.Context, spaceID string) (Sealer, error) {
	return asSealer(g.data(ctx, ref{KindSpace, spaceID}))
}

// Person returns the data key of a person, which is made on first use. After Erase it is ErrErased.
func (g *Ring) Person(ctx context.Context, userID string) (Sealer, error) {
	return asSealer(g.data(ctx, ref{KindPerson, userID}))
}

// asSealer keeps a nil from becoming a Sealer that is not nil.
func asSealer(s *sealer, err error) (Sealer, error) {
	if err != nil {
		return nil, err
	}
	return s, nil
}

// Thing returns the data key of a thing in a space, which is made on first use: ask only for
// things that there are. It goes with either: after Erase of the thing or of the space it is ErrErased.
func (g *Ring) Thing(ctx context.Context, spaceID, thingID string) (Sealer, error) {
	return g.part(ctx, spaceID, ref{KindThing, thingID})
}

// Device is Thing for a device.
func (g *Ring) Device(ctx context.Context, spaceID, deviceID string) (Sealer, error) {
	return g.part(ctx, spaceID, ref{KindDevice, deviceID})
}

// part returns the key of what belongs to a space. In its row it is sealed under the key of the
// space, and then as all others are: whoever erases the space erases all its parts at once.
func (g *Ring) part(ctx context.Context, spaceID string, who ref) (Sealer, error) {
	whole, err := g.data(ctx, ref{KindSpace, spaceID})
	if err != nil {
		return nil, err
	}
	place := Place("key", who.kind, who.id)
	key, err := g.keep(ctx, who, func() (any, error) {
		b, err := g.secret(ctx, who, func() ([]byte, error) {
			fresh := secret.Random(keyBytes)
			defer clear(fresh)
			return whole.Seal(fresh, place)
		})
		if err != nil {
			return nil, err
		}
		key, err := whole.Open(b, place)
		if err != nil {
			return nil, fmt.Errorf("open key of %s with the key of space %s: %w", who, spaceID, err)
		}
		defer clear(key)
		k, err := newSealKey(partID, key)
		if err != nil {
			return nil, fmt.Errorf("read key of %s: %w", who, err)
		}
		return &sealer{keys: []*sealKey{k}, whole: whole, space: spaceID}, nil
	})
	if err != nil {
		return nil, err
	}
	s := key.(*sealer)
	if s.space != spaceID {
		return nil, fmt.Errorf("key of %s with the key of space %s: %w", who, spaceID, ErrSeal)
	}
	return s, nil
}

// partID stands for the only key that a part ever has, where a keyset's keys have theirs.
const partID = 1

// Purpose returns a key of the whole house for one purpose. Names come from our
// own code; the same name is the same key, for ever and in every process.
func (g *Ring) Purpose(name string) Sealer {
	if s, ok := g.named.Get(name); ok {
		return s
	}
	s, err := g.purpose(name)
	if err != nil { // the secret was read and used when the ring opened, so nothing is left to go wrong
		panic(fmt.Sprintf("keys: derive the key for %q: %v", name, err))
	}
	return g.named.Add(name, func() Sealer { return s })
}

func (g *Ring) purpose(name string) (*sealer, error) {
	s := &sealer{}
	first, err := g.purposeKey(g.purposes.PrimaryID, name)
	if err != nil {
		return nil, err
	}
	s.keys = append(s.keys, first)
	for id := range g.purposes.PRFs {
		if id == g.purposes.PrimaryID {
			continue
		}
		k, err := g.purposeKey(id, name)
		if err != nil {
			return nil, err
		}
		s.keys = append(s.keys, k)
	}
	return s, nil
}

func (g *Ring) purposeKey(id uint32, name string) (*sealKey, error) {
	key, err := g.purposes.PRFs[id].ComputePRF([]byte(name), keyBytes)
	if err != nil {
		return nil, err
	}
	defer clear(key)
	return newSealKey(id, key)
}

// MAC returns a keyed hash, HMAC-SHA-256, for indexes that find a value without
// telling it. The same name is the same key, for ever. The result may be called from any goroutine.
func (g *Ring) MAC(name string) func(msg []byte) []byte {
	key, err := g.indexes.ComputePrimaryPRF([]byte(name), keyBytes)
	if err != nil {
		panic(fmt.Sprintf("keys: derive the index key for %q: %v", name, err))
	}
	return mac(key)
}

func mac(key []byte) func(msg []byte) []byte {
	pool := sync.Pool{New: func() any { return hmac.New(sha256.New, key) }}
	return func(msg []byte) []byte {
		h := pool.Get().(hash.Hash)
		h.Reset()
		h.Write(msg)
		sum := h.Sum(make([]byte, 0, sha256.Size))
		pool.Put(h)
		return sum
	}
}

// FileKey is Root.FileKey.
func (g *Ring) FileKey(name string) []byte { return g.root.FileKey(name) }
