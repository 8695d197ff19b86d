package main

import (
	"fmt"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/ardesia-iot/ardesia/internal/schema"
)

// wireColumn is one column of the data map for scripts.
type wireColumn struct {
	Database string `json:"database"`
	Table    string `json:"table"`
	Column   string `json:"column"`
	Class    string `json:"class"`
	Sealed   bool   `json:"sealed"` // under a key that can be destroyed
	Holds    string `json:"holds"`
	Purpose  string `json:"purpose"`
	Kept     string `json:"kept"`
}

func dataMap() *cobra.Command {
	var format string
	c := &cobra.Command{
		Use: "map", Short: "What every column of every database holds, why, and for how long", Args: cobra.NoArgs,
		Long: `What every column of every database of this version holds, why, and for how long. It asks no
server and no data directory: a test keeps it equal to what the program makes.`,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := checkFormat(format); err != nil {
				return err
			}
			columns, err := schema.Columns()
			if err != nil {
				return err
			}
			if format == "json" {
				all := make([]wireColumn, 0, len(columns))
				for _, c := range columns {
					all = append(all, wireColumn{c.Database, c.Table, c.Name, string(c.Class), c.Class.Sealed(), c.Holds, c.Purpose, c.Kept})
				}
				return writeJSON(c.OutOrStdout(), all)
			}
			t := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
			table := ""
			for _, one := range columns {
				if name := one.Database + "." + one.Table; name != table {
					table = name
					fmt.Fprintf(t, "\n%s: %s\n", name, one.Purpose)
				}
				fmt.Fprintf(t, "  %s\t%s\t%s\t%s\n", one.Name, one.Class, one.Holds, one.Kept)
			}
			return t.Flush()
		},
	}
	c.Flags().StringVar(&format, "format", "text", "text or json")
	return group("data", "What is kept of whom", c)
}
