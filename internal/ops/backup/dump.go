package backup

import (
	"context"
	"errors"
	"io"

	"github.com/ardesia-iot/ardesia/internal/base/db"
)

func dump(ctx context.Context, d *db.DB, w io.Writer) error {
	if x, ok := any(d).(interface {
		Dump(context.Context, io.Writer) error
	}); ok {
		return x.Dump(ctx, w)
	}
	return errors.New("no dump")
}

func load(ctx context.Context, d *db.DB, r io.Reader) error {
	if x, ok := any(d).(interface {
		Load(context.Context, io.Reader) error
	}); ok {
		return x.Load(ctx, r)
	}
	return errors.New("no load")
}
