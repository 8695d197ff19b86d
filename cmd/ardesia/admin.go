package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/ardesia-iot/ardesia/internal/server"
)

// group is a noun; its verbs do the work.
func group(use, short string, verbs ...*cobra.Command) *cobra.Command {
	g := &cobra.Command{Use: use, Short: short, Args: cobra.NoArgs, RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	g.AddCommand(verbs...)
	return g
}

// verb makes a command that runs one administrative act: by the running
// server over DIR/admin.sock, or directly on the data directory when none runs.
// in gathers its arguments when it runs.
func verb(use, short, name string, columns []string, args cobra.PositionalArgs, in func(c *cobra.Command, given []string) (any, error)) *cobra.Command {
	c := &cobra.Command{
		Use: use, Short: short, Args: args,
		RunE: func(c *cobra.Command, given []string) error {
			format, _ := c.Flags().GetString("format")
			if err := checkFormat(format); err != nil { // before anything is done
				return err
			}
			data, err := in(c, given)
			if err != nil {
				return err
			}
			answer, err := call(c, name, data)
			if err != nil {
				return err
			}
			return show(c, answer, columns)
		},
	}
	adminFlags(c)
	c.Flags().String("format", "text", "text or json")
	return c
}

func adminFlags(c *cobra.Command) {
	c.Flags().String("data", os.Getenv("ARDESIA_DATA"), "the data directory (environment ARDESIA_DATA)")
	c.Flags().String("database", "", "postgres:// address, if the server is started with one (environment ARDESIA_DATABASE)")
	c.Flags().String("config", "", "the server's TOML file (environment ARDESIA_CONFIG)")
}

// call runs the act and returns its JSON.
func call(c *cobra.Command, name string, in any) (json.RawMessage, error) {
	cfg, _, err := loadConfig(c.Flags(), os.LookupEnv)
	if err != nil {
		return nil, err
	}
	if cfg.Data == "" {
		return nil, errors.New("say which data directory: --data DIR, or ARDESIA_DATA")
	}
	body, err := json.Marshal(in)
	if err != nil {
		return nil, err
	}
	if cfg, err = cfg.Filled(); err != nil {
		return nil, err
	}
	for late := time.Now().Add(takesOver); ; {
		answer, err := server.Call(c.Context(), cfg.Data, name, body)
		if !errors.Is(err, server.ErrNotRunning) {
			return answer, err
		}
		answer, err = directly(c, cfg, name, body)
		// A server that is starting has the directory and no socket yet; one that
		// stops has no socket any more.
		if !errors.Is(err, server.ErrRunning) || time.Now().After(late) {
			return answer, err
		}
		select {
		case <-c.Context().Done():
			return nil, c.Context().Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// takesOver is how long a verb waits for a server to come or to go.
const takesOver = 15 * time.Second

// directly runs the act on the data directory.
func directly(c *cobra.Command, cfg server.Config, name string, body []byte) (json.RawMessage, error) {
	if !server.Installed(cfg.Data) {
		if name != "user.add" { // the only act that means something before the first start
			return nil, fmt.Errorf("there is no installation in %s: is that the right directory? The first  ardesia serve --data %s  makes one", cfg.Data, cfg.Data)
		}
		fmt.Fprintf(c.ErrOrStderr(), "ardesia: makes a new installation in %s\n", cfg.Data)
	}
	s, err := server.New(c.Context(), cfg, server.World{Log: slog.New(slog.DiscardHandler), Now: time.Now})
	if err != nil {
		return nil, err
	}
	answer, err := s.Admin(c.Context(), name, body)
	return answer, errors.Join(err, s.Close(context.WithoutCancel(c.Context())))
}

// show prints an answer: the JSON itself, or a table of columns.
func show(c *cobra.Command, answer json.RawMessage, columns []string) error {
	format, _ := c.Flags().GetString("format")
	if format == "json" {
		return writeJSON(c.OutOrStdout(), answer)
	}
	var rows []map[string]any
	if err := json.Unmarshal(answer, &rows); err != nil {
		var one map[string]any
		if err := json.Unmarshal(answer, &one); err != nil {
			return err
		}
		rows = []map[string]any{one}
	}
	t := tabwriter.NewWriter(c.OutOrStdout(), 0, 4, 2, ' ', 0)
	head := strings.ToUpper(strings.ReplaceAll(strings.Join(columns, "\t"), "_", " "))
	fmt.Fprintln(t, head)
	for _, r := range rows {
		cells := make([]string, len(columns))
		for i, col := range columns {
			cells[i] = cell(r[col])
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	return t.Flush()
}

func checkFormat(format string) error {
	if format != "text" && format != "json" {
		return fmt.Errorf("--format %q is neither text nor json", format)
	}
	return nil
}

func writeJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

func cell(v any) string {
	switch v := v.(type) {
	case nil:
		return "-"
	case string:
		return strconv.QuoteToGraphic(v)[1 : len(strconv.QuoteToGraphic(v))-1]
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	}
	return fmt.Sprint(v)
}

// password reads a password: a line of standard input, or typed twice unseen.
func password(c *cobra.Command, stdin bool) (string, error) {
	if stdin {
		text, err := io.ReadAll(io.LimitReader(c.InOrStdin(), 4096))
		if err != nil {
			return "", err
		}
		line, _, _ := strings.Cut(string(text), "\n")
		return strings.TrimSuffix(line, "\r"), nil
	}
	if !term.IsTerminal(int(os.Stdin.Fd())) {
		return "", errors.New("no terminal to ask for the password: use --password-stdin")
	}
	ask := func(what string) (string, error) {
		fmt.Fprint(c.ErrOrStderr(), what)
		text, err := term.ReadPassword(int(os.Stdin.Fd()))
		fmt.Fprintln(c.ErrOrStderr())
		return string(text), err
	}
	first, err := ask("Password (not shown): ")
	if err != nil {
		return "", err
	}
	second, err := ask("Once more: ")
	if err != nil {
		return "", err
	}
	if first != second {
		return "", errors.New("the two passwords differ")
	}
	return first, nil
}

func user() *cobra.Command {
	return group("user", "People who may come in", append([]*cobra.Command{userAdd(), userList(), userPassword(), userDisable()}, userVerbs()...)...)
}

func userAdd() *cobra.Command {
	var email, name string
	var stdin bool
	c := verb("add", "Add a person, with a private space of their own", "user.add", []string{"id", "email", "name", "space"}, cobra.NoArgs,
		func(c *cobra.Command, _ []string) (any, error) {
			p, err := password(c, stdin)
			return map[string]any{"email": email, "name": name, "password": p}, err
		})
	c.Flags().StringVar(&email, "email", "", "e-mail address")
	c.Flags().StringVar(&name, "name", "", "name as shown to others")
	c.Flags().BoolVar(&stdin, "password-stdin", false, "read the password from the first line of standard input")
	_ = c.MarkFlagRequired("email")
	_ = c.MarkFlagRequired("name")
	return c
}

func userList() *cobra.Command {
	return verb("list", "All people", "user.list", []string{"id", "email", "name", "created_at", "disabled"}, cobra.NoArgs,
		func(*cobra.Command, []string) (any, error) { return struct{}{}, nil })
}

func userPassword() *cobra.Command {
	var stdin bool
	c := verb("password EMAIL", "Set a person's password", "user.password", []string{"id"}, cobra.ExactArgs(1),
		func(c *cobra.Command, given []string) (any, error) {
			p, err := password(c, stdin)
			return map[string]any{"user": given[0], "password": p}, err
		})
	c.Flags().BoolVar(&stdin, "password-stdin", false, "read the password from the first line of standard input")
	return c
}

func userDisable() *cobra.Command {
	var enable bool
	c := verb("disable EMAIL", "Keep a person out, keys and sessions included", "user.disable", []string{"id", "disabled"}, cobra.ExactArgs(1),
		func(_ *cobra.Command, given []string) (any, error) {
			return map[string]any{"user": given[0], "disabled": !enable}, nil
		})
	c.Flags().BoolVar(&enable, "undo", false, "let the person in again")
	return c
}

func space() *cobra.Command {
	var user, name, role string
	add := verb("add", "Add a shared space and its first administrator", "space.add", []string{"id", "name", "kind"}, cobra.NoArgs,
		func(*cobra.Command, []string) (any, error) { return map[string]any{"user": user, "name": name}, nil })
	add.Flags().StringVar(&user, "user", "", "e-mail address or id of the administrator")
	add.Flags().StringVar(&name, "name", "", "the space's name")
	_ = add.MarkFlagRequired("user")
	_ = add.MarkFlagRequired("name")
	list := verb("list", "All spaces", "space.list", []string{"id", "name", "kind", "keep_days"}, cobra.NoArgs,
		func(*cobra.Command, []string) (any, error) { return struct{}{}, nil })
	member := verb("member SPACE", "Let a person into a shared space, or change the role", "space.member", []string{"space", "user", "role"}, cobra.ExactArgs(1),
		func(_ *cobra.Command, given []string) (any, error) {
			return map[string]any{"space": given[0], "user": user, "role": role}, nil
		})
	member.Flags().StringVar(&user, "user", "", "e-mail address or id")
	member.Flags().StringVar(&role, "role", "Viewer", "Admin, Editor, Viewer or Service; \"none\" removes")
	_ = member.MarkFlagRequired("user")
	var days int
	keep := verb("keep SPACE", "Say for how many days values are kept; older ones are gone for good", "space.keep", []string{"space", "keep_days"}, cobra.ExactArgs(1),
		func(_ *cobra.Command, given []string) (any, error) {
			return map[string]any{"space": given[0], "days": days}, nil
		})
	keep.Flags().IntVar(&days, "days", 0, "1 to 36500; 0 keeps them for ever")
	_ = keep.MarkFlagRequired("days")
	member.Aliases = []string{"role"}
	return group("space", "Where devices and things belong", append([]*cobra.Command{add, list, member, keep, spaceErase()}, spaceVerbs()...)...)
}

func spaceErase() *cobra.Command {
	var yes string
	c := verb("erase SPACE", "Destroy a shared space with all it has, in old backups too", "space.erase",
		[]string{"id", "name", "things", "devices", "members", "api_keys", "erased_at", "todo"}, cobra.ExactArgs(1),
		func(_ *cobra.Command, given []string) (any, error) {
			return map[string]any{"space": given[0], "yes": yes}, nil
		})
	c.Long = `Destroy a shared space: its members lose it, its devices are closed out, and its data key is
destroyed, so that its things, values and names can never be read again, here or in any
data archive. There is no way back.

Without --yes-erase nothing is erased, and the answer says what would be. Afterwards make a
backup, and delete all keyring archives that are older: they still have the key.`
	c.Aliases = []string{"disband"}
	c.Flags().StringVar(&yes, "yes-erase", "", "the space's name, to say it a second time")
	return c
}

func apikey() *cobra.Command {
	var user, space, name, role string
	var days int
	add := verb("add", "Make a key for programs; its secret is shown once", "apikey.add", []string{"client_id", "client_secret"}, cobra.NoArgs,
		func(*cobra.Command, []string) (any, error) {
			return map[string]any{"user": user, "space": space, "name": name, "role": role, "days": days}, nil
		})
	add.Flags().IntVar(&days, "days", 0, "for how many days the key works, 1 to 3650 (default: for ever)")
	add.Flags().StringVar(&role, "role", "", "of a service account in --space: Service, Viewer, Editor or Admin, not above the person's (default: all that the person may)")
	add.Flags().StringVar(&user, "user", "", "e-mail address or id of the person that the key acts for")
	add.Flags().StringVar(&space, "space", "", "id of the only shared space that the key may enter (default: all of the person's)")
	add.Flags().StringVar(&name, "name", "", "what the key is for")
	_ = add.MarkFlagRequired("user")
	_ = add.MarkFlagRequired("name")
	list := verb("list", "Keys of a person", "apikey.list", []string{"client_id", "name", "space", "role", "created_at", "last_used_at", "enabled", "revoked", "expires_at"}, cobra.NoArgs,
		func(*cobra.Command, []string) (any, error) { return map[string]any{"user": user}, nil })
	list.Flags().StringVar(&user, "user", "", "e-mail address or id")
	_ = list.MarkFlagRequired("user")
	revoke := verb("revoke CLIENT_ID", "End a key and the tokens that it fetched, at once", "apikey.revoke", []string{"client_id"}, cobra.ExactArgs(1),
		func(_ *cobra.Command, given []string) (any, error) {
			return map[string]any{"client_id": given[0]}, nil
		})
	var undo bool
	disable := verb("disable CLIENT_ID", "Let a key rest, and end the tokens that it fetched", "apikey.enable", []string{"client_id", "enabled"}, cobra.ExactArgs(1),
		func(_ *cobra.Command, given []string) (any, error) {
			return map[string]any{"client_id": given[0], "enabled": undo}, nil
		})
	disable.Flags().BoolVar(&undo, "undo", false, "let it work again")
	return group("apikey", "Keys for programs", add, list, disable, revoke)
}

func device() *cobra.Command {
	var user, space string
	list := verb("list", "Devices of a space", "device.list", []string{"id", "name", "type", "device_status", "last_activity_at"}, cobra.NoArgs,
		func(*cobra.Command, []string) (any, error) {
			return map[string]any{"user": user, "space": space}, nil
		})
	list.Flags().StringVar(&user, "user", "", "e-mail address or id of a member of the space")
	list.Flags().StringVar(&space, "space", "", "id of the space (default: the person's own)")
	_ = list.MarkFlagRequired("user")
	sessions := verb("sessions", "Who is connected now", "device.sessions", []string{"kind", "id", "since", "remote", "listener"}, cobra.NoArgs,
		func(*cobra.Command, []string) (any, error) { return struct{}{}, nil })
	free := verb("free HARDWARE-ID", "Let a board be claimed anew, whoever has claimed it", "device.free", []string{"unique_hardware_id", "device", "space"}, cobra.ExactArgs(1),
		func(_ *cobra.Command, given []string) (any, error) {
			return map[string]any{"unique_hardware_id": given[0]}, nil
		})
	free.Long = `Let a board be claimed anew by whoever has it, when somebody has claimed a false one under its unique hardware id
(claims are refused with err_code 3, or since it is locked). The device that stands for it stays in its
space, without the board and its certificates.`
	return group("device", "Boards and programs that connect", list, free, sessions)
}

func ca() *cobra.Command {
	status := verb("status", "Generations of the device authority", "ca.status", []string{"generation", "created_at", "accepted_until", "certificates", "fingerprint"}, cobra.NoArgs,
		func(*cobra.Command, []string) (any, error) { return struct{}{}, nil })
	var until string
	var atOnce bool
	rotate := verb("rotate", "Start a new generation; the old one is accepted until a date", "ca.rotate", []string{"generation", "created_at", "accepted_until", "certificates", "fingerprint"}, cobra.NoArgs,
		func(*cobra.Command, []string) (any, error) {
			if atOnce {
				return map[string]any{"at_once": true}, nil
			}
			at, err := time.Parse(time.DateOnly, until)
			if err != nil {
				return nil, fmt.Errorf("--accept-old-until %q is not a date (2027-01-31)", until)
			}
			return map[string]any{"accept_old_until": at}, nil
		})
	rotate.Flags().StringVar(&until, "accept-old-until", "", "last day (UTC) on which certificates of the old generation may connect")
	rotate.Flags().BoolVar(&atOnce, "at-once", false, "refuse certificates of the old generation from now on: its key is in foreign hands")
	rotate.MarkFlagsOneRequired("accept-old-until", "at-once")
	rotate.MarkFlagsMutuallyExclusive("accept-old-until", "at-once")
	list := verb("list DEVICE", "Certificates of a device", "ca.list", []string{"id", "generation", "serial", "not_before", "not_after", "state", "enabled", "revoked_at"}, cobra.ExactArgs(1),
		func(_ *cobra.Command, given []string) (any, error) { return map[string]any{"device": given[0]}, nil })
	var reason string
	revoke := verb("revoke DEVICE CERTIFICATE", "Refuse a certificate from now on and close its sessions", "ca.revoke", []string{"id", "device", "reason"}, cobra.ExactArgs(2),
		func(_ *cobra.Command, given []string) (any, error) {
			return map[string]any{"device": given[0], "certificate": given[1], "reason": reason}, nil
		})
	revoke.Flags().StringVar(&reason, "reason", "unspecified", "unspecified, key-compromise, superseded or cessation-of-operation")
	return group("ca", "The authority that signs boards' certificates", status, rotate, list, revoke)
}
