package server

import (
	"context"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
)

// wireEntry is an entry of the journal as scripts read it.
type wireEntry struct {
	Number   int64             `json:"number"`
	At       time.Time         `json:"at"`
	Actor    string            `json:"actor"`
	Space    string            `json:"space,omitempty"`
	Action   string            `json:"action"`
	Resource string            `json:"resource"`
	ID       string            `json:"id"`
	Detail   map[string]string `json:"detail,omitempty"`
}

// journalList tells who changed what, the oldest first.
func (s *Server) journalList(ctx context.Context, in struct {
	Space string `json:"space"`
	After int64  `json:"after"`
	Limit int    `json:"limit"`
}) (any, error) {
	all, err := journal.List(ctx, s.data.core, journal.Query{Space: in.Space, After: in.After, Limit: in.Limit})
	out := make([]wireEntry, 0, len(all))
	for _, e := range all {
		out = append(out, wireEntry(e))
	}
	return out, err
}
