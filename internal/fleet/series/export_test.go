package series

import "context"

// FlushSome is the flush that Run does by itself: it may carry points over.
func (s *Service) FlushSome(ctx context.Context) error {
	return s.maintaining(ctx, func() error { return s.flush(ctx, false) })
}

// Number is the value as aggregations see it.
func (v Value) Number() (float64, bool) { return v.number() }

// Same says whether two values are equal bit by bit.
func (v Value) Same(w Value) bool { return v.same(w) }

const ChunkSpan = chunkSpan
