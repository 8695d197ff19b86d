package device

import (
	"strings"
	"sync"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/senml"
)

// An Option says how a variable behaves.
type Option interface{ set(*settings) }

type settings struct {
	permission Permission
	sync       SyncPolicy
	delta      float64
	every      Every // 0: on change
	quiet      bool  // of our own time zone: what the cloud's last values change is not echoed
}

// A Permission says who may write a variable, as seen from the cloud.
type Permission uint8

// The permissions; ReadWrite is the default.
const (
	ReadWrite Permission = iota
	ReadOnly             // the device writes, the cloud reads
	WriteOnly            // the cloud writes; the device never sends it
)

func (p Permission) set(s *settings) { s.permission = p }

// A SyncPolicy says who is right when the cloud's last value differs from the device's after a connection.
type SyncPolicy uint8

// The policies; CloudWins is the default. Values of ReadOnly variables are always the device's.
const (
	CloudWins      SyncPolicy = iota
	MostRecentWins            // compares the times of the changes, in whole seconds
	DeviceWins                // unless the device has no value yet
)

func (p SyncPolicy) set(s *settings) { s.sync = p }

// MinDelta is how much a number must change to be sent. 0, the default, is any change.
type MinDelta float64

func (d MinDelta) set(s *settings) { s.delta = float64(d) }

// Every sends a variable at an interval, changed or not. The default is to send it on change.
type Every time.Duration

// OnDemand sends a variable only when Publish is called.
const OnDemand Every = -1

func (e Every) set(s *settings) { s.every = e }

// A Property is a variable of any type: what Bool, Int, Float, … return.
type Property interface {
	// Name is the variable's name, as the thing has it.
	Name() string

	base() *settings
	bind(now func() time.Time, wake func())
	due(now time.Time, pace time.Duration) (isDue bool, wait time.Duration)
	take(now time.Time) item
	again()
	apply(records []senml.Record, last bool) (callback func())
}

// A Variable is one typed value that the device and the cloud share. Its methods may be
// called from any goroutine.
type Variable[T any] struct {
	name     string
	settings settings
	shape    shape[T]
	names    []string // of the records of the fields

	mu       sync.Mutex
	value    T                // guarded by mu, as all below
	has      bool             // whether value was ever set, by anyone
	cloud    T                // what the cloud was told, or told us, last
	sent     bool             // whether the value was sent since the program started
	force    bool             // send it whether it changed or not
	changed  time.Time        // when the device changed it; zero before Run
	sentAt   time.Time        // when it was last sent
	stamp    time.Time        // the time that was last sent with it
	callback func(T)          // of OnWrite
	now      func() time.Time // of the client
	wake     func()           // tells the client that there may be something to send
}

func newVariable[T any](name string, s shape[T], options []Option) *Variable[T] {
	v := &Variable[T]{name: name, shape: s, wake: func() {}}
	for _, f := range s {
		full := name
		if f.suffix != "" {
			full += ":" + f.suffix
		}
		v.names = append(v.names, full)
	}
	for _, o := range options {
		o.set(&v.settings)
	}
	return v
}

// Name is the variable's name.
func (v *Variable[T]) Name() string { return v.name }

// Set gives the variable a value. It is sent as its options say, if it is not WriteOnly.
func (v *Variable[T]) Set(value T) {
	v.mu.Lock()
	if !v.has || v.shape.differ(&v.value, &value, 0) {
		if v.now != nil {
			v.changed = v.now()
		}
		v.value, v.has = value, true
	}
	wake := v.wake
	v.mu.Unlock()
	wake()
}

// Get is the value that the device or the cloud set last, else the zero value.
func (v *Variable[T]) Get() T {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.value
}

// Publish sends the variable at the next opportunity, changed or not.
func (v *Variable[T]) Publish() {
	v.mu.Lock()
	v.force = true
	wake := v.wake
	v.mu.Unlock()
	wake()
}

// OnWrite sets what is called after the cloud wrote the variable, and returns v. Of
// the last values after a connection it is told only what differs. It runs on the goroutine of Run, and must
// not block; it may call Set.
func (v *Variable[T]) OnWrite(f func(T)) *Variable[T] {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.callback = f
	return v
}

func (v *Variable[T]) base() *settings { return &v.settings }

func (v *Variable[T]) bind(now func() time.Time, wake func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.now, v.wake = now, wake
}

// due tells whether the value should be sent now and, if not, after what time it could be; 0 is
// not before something happens.
func (v *Variable[T]) due(now time.Time, pace time.Duration) (bool, time.Duration) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.settings.permission == WriteOnly || !v.has {
		return false, 0
	}
	if !v.sent || v.force {
		return true, 0
	}
	interval := pace
	switch {
	case v.settings.every < 0:
		return false, 0
	case v.settings.every > 0:
		interval = time.Duration(v.settings.every)
	case !v.shape.differ(&v.cloud, &v.value, v.settings.delta):
		return false, 0
	}
	since := now.Sub(v.sentAt)
	if since >= interval || since < 0 { // a clock that was set back must not stop us
		return true, 0
	}
	return false, interval - since
}

// take makes an item of the current value, which counts as sent from now on.
func (v *Variable[T]) take(now time.Time) item {
	v.mu.Lock()
	defer v.mu.Unlock()
	at := now
	// The time of a change is the time of its value. What is repeated or echoed is as of now.
	if v.settings.every == 0 && v.changed.After(v.sentAt) && !v.changed.After(now) && !v.force {
		at = v.changed
	}
	at = at.UTC().Truncate(time.Millisecond)
	if ahead := v.stamp.Sub(at); ahead >= 0 && ahead < time.Second {
		at = v.stamp.Add(time.Millisecond) // two values at the same time would be one
	}
	v.cloud, v.sent, v.force, v.sentAt, v.stamp = v.value, true, false, now, at
	i := item{from: v, sample: Sample{Name: v.name, Value: v.value, At: at}}
	for n, f := range v.shape {
		r := f.get(&v.value)
		r.Name = v.names[n]
		i.records = append(i.records, r)
	}
	return i
}

// again makes the value due, because what was taken could not be sent.
func (v *Variable[T]) again() {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.force = true
}

// apply takes over what the cloud wrote, or, if last, what it has as the last value.
// records are neighbours of this variable. The callback, if any, is to be called afterwards.
func (v *Variable[T]) apply(records []senml.Record, last bool) (callback func()) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.settings.permission == ReadOnly {
		return nil
	}
	next, at, fits := v.value, 0.0, false
	for i := range records {
		r := &records[i]
		for n, f := range v.shape {
			if r.Name == v.names[n] && f.put(&next, r) {
				fits = true
				at = max(at, r.At)
			}
		}
	}
	if !fits {
		return nil
	}
	v.cloud = next
	if last {
		older := v.settings.sync == MostRecentWins && int64(at) <= v.changed.Unix() && !v.changed.IsZero()
		if v.has && (older || v.settings.sync == DeviceWins) {
			return nil // which differs, so it will be sent
		}
		if v.has && !v.shape.differ(&v.value, &next, 0) {
			return nil
		}
	}
	v.value, v.has = next, true
	if !last || !v.settings.quiet {
		v.force = true // the echo, by which the cloud knows that it arrived
	}
	if f := v.callback; f != nil {
		return func() { f(next) }
	}
	return nil
}

// property is the part of a record's name that names the variable.
func property(name string) string {
	name, _, _ = strings.Cut(name, ":")
	return name
}
