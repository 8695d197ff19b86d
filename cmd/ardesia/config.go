package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/knadh/koanf/parsers/toml/v2"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
	"github.com/spf13/pflag"

	"github.com/ardesia-iot/ardesia/internal/base/keys"
	"github.com/ardesia-iot/ardesia/internal/server"
)

// origin says where each setting's value came from.
type origin map[string]string

// addFlags makes a flag of each setting. Their values are read by loadConfig,
// which knows whether a flag was given at all.
func addFlags(flags *pflag.FlagSet) {
	flags.String("config", "", "TOML file with the same settings (environment ARDESIA_CONFIG)")
	for _, s := range server.Settings(new(server.Config)) {
		switch s.Value.(type) {
		case *string:
			flags.String(s.Name, "", s.Usage)
		case *bool:
			flags.Bool(s.Name, false, s.Usage)
		case *int:
			flags.Int(s.Name, 0, s.Usage)
		case *[]string:
			flags.StringSlice(s.Name, nil, s.Usage)
		}
	}
}

// loadConfig gathers the settings: file, then environment, then flags.
func loadConfig(flags *pflag.FlagSet, environ func(string) (string, bool)) (server.Config, origin, error) {
	var c server.Config
	from := origin{}
	settings := server.Settings(&c)

	path, _ := flags.GetString("config")
	if path == "" {
		path, _ = environ("ARDESIA_CONFIG")
	}
	if path != "" {
		if err := readFile(path, settings, &c, from); err != nil {
			return c, from, err
		}
	}
	for _, s := range settings {
		if text, ok := environ(s.Env()); ok && text != "" {
			if err := assign(s, text); err != nil {
				return c, from, fmt.Errorf("environment %s: %w", s.Env(), err)
			}
			from[s.Name] = "environment " + s.Env()
		}
		f := flags.Lookup(s.Name)
		if f == nil || !f.Changed {
			continue
		}
		from[s.Name] = "flag --" + s.Name
		if list, ok := s.Value.(*[]string); ok {
			given, _ := flags.GetStringSlice(s.Name)
			*list = split(strings.Join(given, ","))
			continue
		}
		if err := assign(s, f.Value.String()); err != nil {
			return c, from, fmt.Errorf("flag --%s: %w", s.Name, err)
		}
	}
	return c, from, nil
}

func readFile(path string, settings []server.Setting, cfg *server.Config, from origin) error {
	k := koanf.New(".")
	if err := k.Load(file.Provider(path), toml.Parser()); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("the configuration %s is not there", path)
		}
		return fmt.Errorf("read the configuration %s: %w", path, err)
	}
	for _, key := range k.Keys() {
		if key == socialKey {
			if err := readSocial(path, k.Get(key), cfg); err != nil {
				return err
			}
			from[socialKey] = "file " + path
			continue
		}
		i := slices.IndexFunc(settings, func(s server.Setting) bool { return s.Key() == key })
		if i < 0 {
			return fmt.Errorf("%s%s: unknown key %q; \"ardesia config show\" lists those that exist", path, line(path, key), key)
		}
		if err := put(settings[i], k.Get(key)); err != nil {
			return fmt.Errorf("%s%s: %s%w", path, line(path, key), key, err)
		}
		from[settings[i].Name] = "file " + path
	}
	return nil
}

// put puts a value of the file where a setting's goes. Its error goes on after the key.
func put(s server.Setting, value any) error {
	fits := true
	switch v := value.(type) {
	case string:
		if err := assign(s, v); err != nil {
			return fmt.Errorf(": %w", err)
		}
	case bool:
		var to *bool
		if to, fits = s.Value.(*bool); fits {
			*to = v
		}
	case int64:
		var to *int
		if to, fits = s.Value.(*int); fits {
			*to = int(v)
		}
	case []any:
		var to *[]string
		if to, fits = s.Value.(*[]string); fits {
			*to = nil
			for _, one := range v {
				*to = append(*to, fmt.Sprint(one))
			}
		}
	default:
		fits = false
	}
	if !fits {
		return fmt.Errorf(" cannot be %v: write %s", value, kind(s))
	}
	return nil
}

// socialKey is the one key whose values are tables: [[social]].
const socialKey = "social"

// readSocial reads the tables [[social]].
func readSocial(path string, value any, cfg *server.Config) error {
	var tables []map[string]any
	switch all := value.(type) {
	case []map[string]any:
		tables = all
	case []any:
		for _, one := range all {
			table, ok := one.(map[string]any)
			if !ok {
				return fmt.Errorf("%s%s: social is a table: write [[social]] above its keys", path, line(path, socialKey))
			}
			tables = append(tables, table)
		}
	default:
		return fmt.Errorf("%s%s: social is a table: write [[social]] above its keys", path, line(path, socialKey))
	}
	for n, table := range tables {
		var p server.Social
		settings := server.SocialSettings(&p)
		for _, key := range slices.Sorted(maps.Keys(table)) {
			i := slices.IndexFunc(settings, func(s server.Setting) bool { return s.Key() == key })
			if i < 0 {
				var known []string
				for _, s := range settings {
					known = append(known, s.Key())
				}
				return fmt.Errorf("%s: social, table %d: unknown key %q; there are %s", path, n+1, key, strings.Join(known, ", "))
			}
			if err := put(settings[i], table[key]); err != nil {
				return fmt.Errorf("%s: social, table %d: %s%w", path, n+1, key, err)
			}
		}
		cfg.Social = append(cfg.Social, p)
	}
	return nil
}

// unread are variables that look like ours and that nothing reads: a slip of the pen, or
// of a container system that has a service of our name.
func unread(environ []string) []string {
	known := map[string]bool{"ARDESIA_CONFIG": true, keys.PassphraseVariable: true, recoveryVariable: true,
		"ARDESIA_CLIENT_ID": true, "ARDESIA_CLIENT_SECRET": true, "ARDESIA_SOAK": true}
	for _, s := range server.Settings(new(server.Config)) {
		known[s.Env()] = true
	}
	var all []string
	for _, pair := range environ {
		if name, _, _ := strings.Cut(pair, "="); strings.HasPrefix(name, "ARDESIA_") && !known[name] {
			all = append(all, name)
		}
	}
	return all
}

// kind says how a setting is written in the file.
func kind(s server.Setting) string {
	switch s.Value.(type) {
	case *bool:
		return "true or false"
	case *int:
		return "a whole number"
	case *[]string:
		return "a list of texts: [\"a\", \"b\"]"
	}
	return "a text in quotes"
}

// line finds where key is set, for the message only.
func line(path, key string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	for i, l := range strings.Split(string(text), "\n") {
		if strings.HasPrefix(strings.TrimSpace(l), key) {
			return fmt.Sprintf(":%d", i+1)
		}
	}
	return ""
}

// split reads a list with commas; blanks around a name are not part of it.
func split(text string) []string {
	var all []string
	for name := range strings.SplitSeq(text, ",") {
		if name = strings.TrimSpace(name); name != "" {
			all = append(all, name)
		}
	}
	return all
}

func assign(s server.Setting, text string) error {
	switch v := s.Value.(type) {
	case *string:
		*v = text
	case *[]string:
		*v = split(text)
	case *int:
		n, err := strconv.Atoi(text)
		if err != nil {
			return fmt.Errorf("%q is not a whole number", text)
		}
		*v = n
	case *bool:
		switch strings.ToLower(text) {
		case "true", "1", "yes", "on":
			*v = true
		case "false", "0", "no", "off":
			*v = false
		default:
			return fmt.Errorf("%q is neither true nor false", text)
		}
	}
	return nil
}
