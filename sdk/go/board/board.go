// Package board is a simulated board whose program can be replaced over the air: it keeps its flash over
// restarts, fetches, checks and applies images as a real one does, and can be told to fail, or to lose
// power, at each step.
package board

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"sync"

	device "github.com/ardesia-iot/ardesia/sdk/go"
)

// A Flash is what stays when the power goes: the image that runs, the one that is being stored, and whether
// that is to run next. It implements device.Firmware. All methods may be called from any goroutine.
type Flash struct {
	magic uint32

	mu      sync.Mutex
	running []byte // guarded by mu
	stored  []byte // guarded by mu: whole only if apply
	apply   bool   // guarded by mu

	// Set by a Board; nil: nothing happens.
	wrote func(n int) error // after each write, with all bytes so far
	boot  func(image []byte) []byte
}

// NewFlash is the flash of a board that runs image.
func NewFlash(image []byte, magic uint32) *Flash { return &Flash{running: image, magic: magic} }

// Running is the image that runs.
func (f *Flash) Running() []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.running
}

// SHA256 implements device.Firmware.
func (f *Flash) SHA256() [32]byte { return sha256.Sum256(f.Running()) }

// Magic implements device.Firmware.
func (f *Flash) Magic() uint32 { return f.magic }

// Store implements device.Firmware.
func (f *Flash) Store() (io.WriteCloser, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stored, f.apply = nil, false
	return (*place)(f), nil
}

// Apply implements device.Firmware.
func (f *Flash) Apply() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.stored) == 0 {
		return errors.New("board: nothing is stored")
	}
	f.apply = true
	return nil
}

// Boot is what the bootloader does at a start: what was applied runs, and what was only stored does not.
func (f *Flash) Boot() {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.apply {
		f.running = f.stored
		if f.boot != nil {
			f.running = f.boot(f.stored)
		}
	}
	f.stored, f.apply = nil, false
}

// place is where an image is stored.
type place Flash

func (p *place) Write(b []byte) (int, error) {
	p.mu.Lock()
	p.stored = append(p.stored, b...)
	n, wrote := len(p.stored), p.wrote
	p.mu.Unlock()
	if wrote != nil {
		if err := wrote(n); err != nil {
			return 0, err
		}
	}
	return len(b), nil
}

func (p *place) Close() error { return nil }

// A Moment is when something goes wrong.
type Moment uint8

// The moments, in the order in which they come.
const (
	Never     Moment = iota
	Available        // when the update was offered
	Start            // before the download
	Fetch            // with half of the image stored
	Flashing         // before it is applied
	Reboot           // when it is applied, before the cloud is told
	Restart          // at the start of the new image

	moments
)

var momentNames = [moments]string{"never", "available", "start", "fetch", "flash", "reboot", "restart"}

func (m Moment) String() string {
	if m < moments {
		return momentNames[m]
	}
	return "unknown"
}

// Moments are all of them but Never.
func Moments() []Moment {
	var all []Moment
	for m := Never + 1; m < moments; m++ {
		all = append(all, m)
	}
	return all
}

// Trouble is what goes wrong with each update of a board.
type Trouble struct {
	// Fail is when the board gives up, with Code; at Restart it keeps its old image.
	Fail Moment
	Code int32 // 0 is -12, a failed download
	// Cut is when the power goes, Times times; 0 is once.
	Cut   Moment
	Times int
	// Half is after how many bytes of an image Fetch is.
	Half int
	// Wrong lets a board start with an image that is neither the old nor the new one.
	Wrong bool
}

// A Board runs the program in a Flash, and starts again when another is in place or the power was cut.
type Board struct {
	Flash *Flash
	Trouble
	// Booted is told at each start which image runs; it may be nil.
	Booted func(image []byte)

	cuts int
}

var errCut = errors.New("board: the power is gone")

// Run is the board's life, until ctx ends. c is its device; Firmware and OnUpdate are set here. Each start is a
// new client, which knows nothing of the one before.
func (b *Board) Run(ctx context.Context, c device.Config) error {
	for {
		err := b.life(ctx, c)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil && !errors.Is(err, device.ErrReboot) && !errors.Is(err, errCut) {
			return err
		}
		b.Flash.Boot()
		if errors.Is(err, device.ErrReboot) && b.at(Restart, func(error) {}) == errCut {
			b.Flash.Boot() // it starts once more, and nobody saw the first time
		}
	}
}

// life is what is between two starts.
func (b *Board) life(ctx context.Context, c device.Config) error {
	on, off := context.WithCancelCause(ctx)
	defer off(nil)
	c.Firmware = b.Flash
	steps := map[device.UpdateStep]Moment{device.UpdateAvailable: Available, device.UpdateStart: Start, device.UpdateFlash: Flashing, device.UpdateReboot: Reboot}
	c.OnUpdate = func(_ context.Context, s device.UpdateStep) error { return b.at(steps[s], off) }
	old := b.Flash.Running()
	b.Flash.mu.Lock()
	b.Flash.wrote = func(n int) error {
		if n < b.Half {
			return nil
		}
		return b.at(Fetch, off)
	}
	b.Flash.boot = func(image []byte) []byte {
		switch {
		case b.Wrong:
			return append([]byte("another "), image...)
		case b.Fail == Restart:
			return old
		}
		return image
	}
	b.Flash.mu.Unlock()
	if b.Booted != nil {
		b.Booted(old)
	}
	client, err := device.New(c)
	if err != nil {
		return err
	}
	err = client.Run(on)
	if errors.Is(context.Cause(on), errCut) {
		return errCut
	}
	return err
}

// at is asked at each moment whether something goes wrong.
func (b *Board) at(m Moment, off func(error)) error {
	switch {
	case m == Never:
		return nil
	case b.Cut == m && b.cuts < max(b.Times, 1):
		b.cuts++
		off(errCut)
		return errCut
	case b.Fail == m:
		code := b.Code
		if code == 0 {
			code = -12
		}
		return &device.UpdateError{Code: code, Err: errors.New("as it was told to")}
	}
	return nil
}
