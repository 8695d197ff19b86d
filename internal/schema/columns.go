package schema

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

// A Class says what kind of data a column holds, and so how it is protected.
type Class string

// The classes.
const (
	ID             Class = "id"              // stands for somebody or something, and tells nothing
	Time           Class = "time"            //
	State          Class = "state"           // one of a few words or numbers of our own, or yes or no
	Number         Class = "number"          // a count
	Text           Class = "text"            // words of our own code
	Setting        Class = "setting"         // what a customer chose or a device told, in clear, bound to no person
	Digest         Class = "digest"          // hash of what is no secret
	Public         Class = "public"          // what anyone may see: certificates, public keys
	KeyedHash      Class = "keyed-hash"      // finds a sealed value without telling it
	SecretHash     Class = "secret-hash"     // proves a secret without knowing it
	SealedPII      Class = "sealed-pii"      // of a person, under that person's key
	SealedCustomer Class = "sealed-customer" // entrusted by a customer, under the key of the space or the person
	Key            Class = "key"             // a key, wrapped by another
)

// Classes are all classes, the least protected last.
var Classes = []Class{SealedPII, SealedCustomer, Key, SecretHash, KeyedHash, Digest, Public, ID, Time, State, Number, Setting, Text}

// Sealed says whether the column is encrypted under a key that can be destroyed.
func (c Class) Sealed() bool { return c == SealedPII || c == SealedCustomer }

// A Column is what the data map knows of one.
type Column struct {
	Database, Table, Name string
	Class                 Class
	Holds                 string // what is in it
	Purpose               string // what the table is for
	Kept                  string // how long
}

//go:embed columns.txt
var columns string

// Columns are all columns of all databases, in the order of the data map.
func Columns() ([]Column, error) { return readColumns(columns) }

func readColumns(text string) (all []Column, err error) {
	var tables []Column // the table that is being read, once for each database
	seen := map[string]bool{}
	n := 0
	for line := range strings.Lines(text) {
		n++
		fail := func(why string) ([]Column, error) {
			return nil, fmt.Errorf("columns.txt:%d: %s: %q", n, why, strings.TrimSpace(line))
		}
		indented := strings.HasPrefix(line, " ")
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		parts := strings.Split(line, " | ")
		if !indented {
			database, table, ok := strings.Cut(parts[0], ".")
			if !ok || len(parts) != 3 || table == "" || parts[1] == "" || parts[2] == "" {
				return fail("a table is DATABASE.TABLE | PURPOSE | KEPT")
			}
			names := []string{database}
			if database == "*" {
				names = Names
			} else if !slices.Contains(Names, database) {
				return fail("there is no such database")
			}
			tables = nil
			for _, name := range names {
				tables = append(tables, Column{Database: name, Table: table, Purpose: parts[1], Kept: parts[2]})
			}
			continue
		}
		words := strings.Fields(parts[0])
		if len(words) < 3 || len(parts) > 2 || len(tables) == 0 {
			return fail("a column is COLUMN CLASS MEANING, below its table")
		}
		if !slices.Contains(Classes, Class(words[1])) {
			return fail("there is no such class")
		}
		for _, c := range tables {
			c.Name, c.Class, c.Holds = words[0], Class(words[1]), strings.Join(words[2:], " ")
			if len(parts) == 2 {
				c.Kept = parts[1]
			}
			if key := c.Database + "." + c.Table + "." + c.Name; seen[key] {
				return fail("this column is there twice")
			} else {
				seen[key] = true
			}
			all = append(all, c)
		}
	}
	// A line for all databases has spread their columns.
	slices.SortStableFunc(all, func(a, b Column) int { return slices.Index(Names, a.Database) - slices.Index(Names, b.Database) })
	return all, nil
}

// personal are words for what tells who somebody is.
var personal = []string{"username", "user_name", "login", "password", "name", "surname", "nickname", "mail", "email", "picture", "avatar", "photo",
	"address", "street", "city", "zip", "postcode", "phone", "mobile", "birth", "birthday", "gender", "ip"}

// Tells says whether the name of a column promises what tells who somebody is.
func Tells(column string) bool {
	for word := range strings.SplitSeq(column, "_") {
		if slices.Contains(personal, word) || slices.Contains(personal, strings.TrimSuffix(word, "s")) || slices.Contains(personal, strings.TrimSuffix(word, "es")) {
			return true
		}
	}
	return slices.Contains(personal, column)
}
