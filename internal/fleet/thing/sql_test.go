package thing

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/ardesia-iot/ardesia/internal/base/db"
	"github.com/ardesia-iot/ardesia/internal/base/senml"
)

// What people wrote and what devices reported cannot be read in our tables,
// whatever the engine keeps them in.
func TestTablesShowNothing(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		board := h.device(editor, "board")
		a, err := h.Create(ctx, editor, Thing{Name: "CANARY.thing", Device: board, Webhook: "https://CANARY.example.org/", Tags: []Tag{{"CANARY.key", "CANARY.value"}},
			Properties: []Property{func() Property {
				p := property("CANARY_property")
				p.Type, p.Number, p.Parameter, p.Min = TypeOf("CHARSTRING"), 0, 4242.5, 31337.25
				return p
			}()}}, false)
		if err != nil {
			t.Fatal(err)
		}
		h.publish(board, a.ID, senml.Record{Name: "CANARY_property", Kind: senml.Text, Text: "CANARY text"})
		if err := h.Command(ctx, editor, a.ID, []Write{{Name: "CANARY_property", JSON: []byte(`"CANARY written"`)}}); err != nil {
			t.Fatal(err)
		}
		rows := 0
		err = h.core.Read(ctx, func(tx *db.Tx) error {
			for table, columns := range map[string]string{
				"thing":          "name_mac, sealed, timezone, device, assistant, sketch, template",
				"thing_property": "name_mac, variable_mac, sealed, type, permission, strategy, number",
				"thing_tag":      "key_mac, pair_mac, sealed",
				"journal":        "actor, action, resource, id, detail",
			} {
				found, err := tx.Query(ctx, `select `+columns+` from `+table)
				if err != nil {
					return err
				}
				defer found.Close()
				for found.Next() {
					rows++
					cells := make([]any, strings.Count(columns, ",")+1)
					for i := range cells {
						cells[i] = new(any)
					}
					if err := found.Scan(cells...); err != nil {
						return err
					}
					for _, c := range cells {
						cell := *c.(*any)
						b, ok := cell.([]byte)
						if !ok {
							b = fmt.Append(nil, cell)
						}
						if bytes.Contains(b, []byte("CANARY")) || bytes.Contains(b, []byte("31337")) {
							t.Errorf("%s shows %q", table, b)
						}
					}
				}
				if err := found.Err(); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil || rows < 4 {
			t.Errorf("%d rows, %v", rows, err)
		}
	})
}

// A sealed value opens only where it was written.
func TestRowsCannotBeExchanged(t *testing.T) {
	eachHouse(t, func(t *testing.T, h *house) {
		ctx := t.Context()
		a := h.thing(editor, "a", "", map[string]string{"x": "FLOAT"})
		b := h.thing(editor, "b", "", map[string]string{"y": "FLOAT"})
		swap := func(table string, to, from string) {
			t.Helper()
			err := h.core.Write(ctx, func(tx *db.Tx) error {
				_, err := tx.Exec(ctx, `update `+table+` set sealed = (select sealed from `+table+` where id = $1) where id = $2`, from, to)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
		swap("thing_property", id(a, "x"), id(b, "y"))
		if _, err := h.Get(ctx, editor, a.ID, false); err == nil {
			t.Error("a property with the values of another is read")
		}
		swap("thing", b.ID, a.ID)
		if _, err := h.Get(ctx, editor, b.ID, false); err == nil {
			t.Error("a thing with the name of another is read")
		}
	})
}
