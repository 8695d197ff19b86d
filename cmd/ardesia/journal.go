package main

import (
	"github.com/spf13/cobra"
)

func journals() *cobra.Command {
	var space string
	var after int64
	var limit int
	list := verb("list", "Who changed what, the oldest first", "journal.list", []string{"number", "at", "actor", "action", "id", "space"}, cobra.NoArgs,
		func(*cobra.Command, []string) (any, error) {
			return map[string]any{"space": space, "after": after, "limit": limit}, nil
		})
	list.Long = `Who changed what, the oldest first: ids only, never names or values. --format json has the
details as well. "ardesia doctor" checks that no entry was changed, taken out or put in.`
	list.Flags().StringVar(&space, "space", "", "of this space only")
	list.Flags().Int64Var(&after, "after", 0, "entries with higher numbers only")
	list.Flags().IntVar(&limit, "limit", 1000, "at most this many, up to 1000")
	return group("journal", "What was changed, and by whom", list)
}
