// Package run gives a program of several parts one life: parts start from the
// ground up and stop from the last to the first, so that doors close before data.
package run

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
)

// A Part is something that works until its context ends.
type Part struct {
	Name string
	Run  func(ctx context.Context) error // blocks; returns nil or ctx's error when told to stop
}

// Parts runs all parts until ctx ends or one of them returns. Then it stops them
// one by one, the last first, each only when the one above has returned.
// It returns the error of the part that ended by itself, joined with what
// others said while stopping; nil when ctx ended and all stopped cleanly.
func Parts(ctx context.Context, log *slog.Logger, parts ...Part) error {
	type ended struct {
		index int
		err   error
	}
	done := make(chan ended, len(parts))
	stops := make([]context.CancelFunc, len(parts))
	finished := make([]chan struct{}, len(parts))
	errs := make([]error, len(parts))
	for i, p := range parts {
		// A part is not a child of ctx: it ends when its turn has come.
		own, stop := context.WithCancel(context.WithoutCancel(ctx))
		stops[i], finished[i] = stop, make(chan struct{})
		go func() {
			defer close(finished[i])
			err := p.Run(own)
			if own.Err() != nil && errors.Is(err, context.Canceled) {
				err = nil
			}
			errs[i] = err
			done <- ended{i, err}
		}()
		log.Debug("started", "part", p.Name)
	}

	var first error
	select {
	case <-ctx.Done():
	case e := <-done:
		switch {
		case e.err != nil:
			first = fmt.Errorf("%s: %w", parts[e.index].Name, e.err)
			errs[e.index] = nil
		case ctx.Err() == nil:
			first = fmt.Errorf("%s: %w", parts[e.index].Name, errEnded)
		}
	}
	all := []error{first}
	for i := len(parts) - 1; i >= 0; i-- {
		stops[i]()
		<-finished[i]
		log.Debug("stopped", "part", parts[i].Name)
		if errs[i] != nil {
			all = append(all, fmt.Errorf("stop %s: %w", parts[i].Name, errs[i]))
		}
	}
	return errors.Join(all...)
}

var errEnded = errors.New("ended although nobody asked it to")
