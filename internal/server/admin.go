package server

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/edge"
	"github.com/ardesia-iot/ardesia/internal/fleet/ca"
	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/ops/backup"
	"github.com/ardesia-iot/ardesia/internal/people/access"
	"github.com/ardesia-iot/ardesia/internal/people/account"
	"github.com/ardesia-iot/ardesia/internal/people/apikey"
)

// errAct is an administrative act that this version does not know.
var errAct = problem.New(problem.Invalid, "unknown-act", "This server does not know that act: are both programs of one version?")

// operator is who acts at the admin socket or on the data directory.
var operator = access.Actor{Kind: access.System}

// act runs one verb with its JSON arguments.
type act func(s *Server, ctx context.Context, in json.RawMessage) (any, error)

// with makes an act of a function with typed arguments.
func with[In any](fn func(s *Server, ctx context.Context, in In) (any, error)) act {
	return func(s *Server, ctx context.Context, raw json.RawMessage) (any, error) {
		var in In
		if err := json.Unmarshal(raw, &in); err != nil {
			return nil, errAct.With("The arguments of the act cannot be read: " + err.Error())
		}
		return fn(s, ctx, in)
	}
}

type none struct{}

// acts are the administrative verbs, by the name that the command line sends.
var acts = map[string]act{
	"ping":            with(func(*Server, context.Context, none) (any, error) { return none{}, nil }),
	"backup":          with((*Server).backup),
	"user.add":        with((*Server).userAdd),
	"user.list":       with((*Server).userList),
	"user.password":   with((*Server).userPassword),
	"user.disable":    with((*Server).userDisable),
	"user.show":       with((*Server).userShow),
	"user.freeze":     with((*Server).userFreeze),
	"user.sessions":   with((*Server).userSessions),
	"user.reset":      with((*Server).userReset),
	"user.delete":     with((*Server).userDelete),
	"space.add":       with((*Server).spaceAdd),
	"space.list":      with((*Server).spaceList),
	"space.member":    with((*Server).spaceMember),
	"space.keep":      with((*Server).spaceKeep),
	"space.erase":     with((*Server).spaceErase),
	"space.show":      with((*Server).spaceShow),
	"space.rename":    with((*Server).spaceRename),
	"space.members":   with((*Server).spaceMembers),
	"space.owner":     with((*Server).spaceOwner),
	"space.require":   with((*Server).spaceRequire),
	"space.quota":     with((*Server).spaceQuota),
	"space.usage":     with((*Server).spaceUsage),
	"space.invite":    with((*Server).spaceInvite),
	"space.invites":   with((*Server).spaceInvites),
	"space.uninvite":  with((*Server).spaceUninvite),
	"apikey.add":      with((*Server).apikeyAdd),
	"apikey.list":     with((*Server).apikeyList),
	"apikey.revoke":   with((*Server).apikeyRevoke),
	"apikey.enable":   with((*Server).apikeyEnable),
	"client.add":      with((*Server).clientAdd),
	"client.list":     with((*Server).clientList),
	"client.remove":   with((*Server).clientRemove),
	"device.list":     with((*Server).deviceList),
	"device.free":     with((*Server).deviceFree),
	"device.sessions": with((*Server).deviceSessions),
	"ca.status":       with((*Server).caStatus),
	"ca.rotate":       with((*Server).caRotate),
	"ca.list":         with((*Server).caList),
	"ca.revoke":       with((*Server).caRevoke),
	"check":           with((*Server).check),
	"mail.test":       with((*Server).mailTest),
	"guard.show":      with((*Server).guardShow),
	"guard.events":    with((*Server).guardEvents),
	"guard.lift":      with((*Server).guardLift),
	"journal.list":    with((*Server).journalList),
	"key.rotate":      with((*Server).keyRotate),
	"key.recovery":    with((*Server).keyRecovery),

	"audit.show":       with((*Server).auditShow),
	"audit.verify":     with((*Server).auditVerify),
	"audit.checkpoint": with((*Server).auditCheckpoint),
}

// Admin runs one administrative act and returns its JSON answer.
func (s *Server) Admin(ctx context.Context, name string, in []byte) (json.RawMessage, error) {
	do, ok := acts[name]
	if !ok {
		return nil, errAct
	}
	out, err := do(s, ctx, in)
	if err != nil {
		return nil, err
	}
	return json.Marshal(out)
}

type wireUser struct {
	ID        string     `json:"id"`
	Email     string     `json:"email"`
	Name      string     `json:"name"`
	Space     string     `json:"space"`
	CreatedAt time.Time  `json:"created_at"`
	Disabled  bool       `json:"disabled"`
	Since     *time.Time `json:"disabled_at,omitempty"`
}

func toWireUser(u account.User) wireUser {
	w := wireUser{ID: u.ID, Email: u.Email, Name: u.Name, Space: u.Space, CreatedAt: u.CreatedAt, Disabled: u.Disabled()}
	if u.Disabled() {
		w.Since = &u.DisabledAt
	}
	return w
}

type wireAccount struct {
	Email    string `json:"email"`
	Name     string `json:"name"`
	Password string `json:"password"`
}

func (s *Server) userAdd(ctx context.Context, in wireAccount) (any, error) {
	u, err := s.accounts.Add(ctx, operator, in.Email, in.Name, in.Password)
	return toWireUser(u), err
}

func (s *Server) userList(ctx context.Context, _ none) (any, error) {
	users, err := s.accounts.List(ctx)
	out := make([]wireUser, 0, len(users))
	for _, u := range users {
		out = append(out, toWireUser(u))
	}
	return out, err
}

// wireWho names a person, and what is to happen.
type wireWho struct {
	User     string `json:"user"` // id or e-mail address
	Password string `json:"password"`
	Disabled bool   `json:"disabled"`
	Space    string `json:"space"`
	Name     string `json:"name"`
	Role     string `json:"role"`
	Days     int    `json:"days"` // for which a key works; 0: for ever
}

func (s *Server) userPassword(ctx context.Context, in wireWho) (any, error) {
	u, err := s.accounts.Find(ctx, in.User)
	if err != nil {
		return nil, err
	}
	return toWireUser(u), s.accounts.SetPassword(ctx, operator, u.ID, in.Password)
}

func (s *Server) userDisable(ctx context.Context, in wireWho) (any, error) {
	u, err := s.accounts.Find(ctx, in.User)
	if err != nil {
		return nil, err
	}
	u, err = s.accounts.Disable(ctx, operator, u.ID, in.Disabled)
	return toWireUser(u), err
}

func (s *Server) spaceAdd(ctx context.Context, in wireWho) (any, error) {
	u, err := s.accounts.Find(ctx, in.User)
	if err != nil {
		return nil, err
	}
	sp, err := s.orgs.AddShared(ctx, operator, u.ID, in.Name)
	return map[string]any{"id": sp.ID, "name": sp.Name, "kind": sp.Kind}, err
}

func (s *Server) spaceList(ctx context.Context, _ none) (any, error) {
	all, err := s.orgs.List(ctx)
	out := make([]map[string]any, 0, len(all))
	for _, sp := range all {
		out = append(out, map[string]any{"id": sp.ID, "name": sp.Name, "kind": sp.Kind, "owner": sp.Owner, "created_at": sp.CreatedAt, "keep_days": sp.KeepDays})
	}
	return out, err
}

func (s *Server) spaceMember(ctx context.Context, in wireWho) (any, error) {
	role := access.NoRole
	if in.Role != "none" {
		var err error
		if role, err = access.ParseRole(in.Role); err != nil {
			return nil, err
		}
	}
	u, err := s.accounts.Find(ctx, in.User)
	if err != nil {
		return nil, err
	}
	return map[string]any{"space": in.Space, "user": u.ID, "role": role}, s.orgs.SetRole(ctx, operator, in.Space, u.ID, role)
}

func (s *Server) spaceKeep(ctx context.Context, in struct {
	Space string `json:"space"`
	Days  int    `json:"days"`
}) (any, error) {
	return map[string]any{"space": in.Space, "keep_days": in.Days}, s.orgs.SetKeep(ctx, operator, in.Space, in.Days)
}

func (s *Server) apikeyAdd(ctx context.Context, in wireWho) (any, error) {
	u, err := s.accounts.Find(ctx, in.User)
	if err != nil {
		return nil, err
	}
	role := access.NoRole
	if in.Role != "" {
		if role, err = access.ParseRole(in.Role); err != nil {
			return nil, err
		}
	}
	w := apikey.Wish{Account: u.ID, Space: in.Space, Role: role, Name: in.Name}
	if in.Days < 0 {
		return nil, apikey.ErrEnds
	}
	if in.Days > 0 {
		w.ExpiresAt = s.world.Now().Add(time.Duration(min(in.Days, maxKeepArchives)) * 24 * time.Hour) // the room refuses what is too far
	}
	k, secret, err := s.apikeys.Make(ctx, operator, w)
	if err != nil {
		return nil, err
	}
	return map[string]any{"client_id": k.ID, "client_secret": secret.Reveal(), "name": k.Name, "space": k.Space, "role": k.Role, "expires_at": timeOrNull(k.ExpiresAt)}, nil
}

func (s *Server) apikeyList(ctx context.Context, in wireWho) (any, error) {
	u, err := s.accounts.Find(ctx, in.User)
	if err != nil {
		return nil, err
	}
	all, err := s.apikeys.List(ctx, u.ID)
	out := make([]map[string]any, 0, len(all))
	for _, k := range all {
		row := map[string]any{"client_id": k.ID, "name": k.Name, "space": k.Space, "role": k.Role, "created_at": k.CreatedAt, "enabled": k.Enabled, "revoked": k.Revoked(), "expires_at": timeOrNull(k.ExpiresAt)}
		if !k.UsedAt.IsZero() {
			row["last_used_at"] = k.UsedAt
		}
		out = append(out, row)
	}
	return out, err
}

func (s *Server) apikeyRevoke(ctx context.Context, in struct {
	ClientID string `json:"client_id"`
}) (any, error) {
	return map[string]any{"client_id": in.ClientID}, s.apikeys.Revoke(ctx, operator, in.ClientID)
}

func (s *Server) deviceList(ctx context.Context, in wireWho) (any, error) {
	u, err := s.accounts.Find(ctx, in.User)
	if err != nil {
		return nil, err
	}
	space := orElse(in.Space, u.Space)
	if _, err := s.orgs.Role(ctx, space, u.ID); err != nil {
		return nil, err
	}
	all, err := s.devices.List(ctx, operator, space, device.Filter{})
	out := make([]map[string]any, 0, len(all))
	for _, d := range all {
		row := map[string]any{"id": d.ID, "name": d.Name, "type": d.Type, "device_status": d.Status}
		if !d.LastActivityAt.IsZero() {
			row["last_activity_at"] = d.LastActivityAt
		}
		out = append(out, row)
	}
	return out, err
}

var errNoServer = errors.New("no server runs, so nobody is connected")

func (s *Server) deviceSessions(_ context.Context, _ none) (any, error) {
	if s.broker == nil {
		return nil, errNoServer
	}
	out := []map[string]any{}
	for _, x := range s.broker.Sessions() {
		out = append(out, map[string]any{"kind": x.Identity.Kind, "id": x.Identity.ID, "since": x.Since, "remote": x.Remote.String(), "listener": x.Listener})
	}
	return out, nil
}

func (s *Server) caStatus(ctx context.Context, _ none) (any, error) {
	all, err := s.authority.Status(ctx)
	out := make([]map[string]any, 0, len(all))
	for _, g := range all {
		row := map[string]any{"generation": g.Number, "created_at": g.CreatedAt, "certificates": g.Certificates, "devices": g.Devices, "phase": g.Phase, "accepted": g.Accepted}
		if !g.AcceptedUntil.IsZero() {
			row["accepted_until"] = g.AcceptedUntil
		}
		if g.Certificate != nil {
			row["fingerprint"] = edge.Fingerprint(g.Certificate.Raw)
		}
		out = append(out, row)
	}
	return out, err
}

// errPast keeps a slip of the pen from cutting off every board.
var errPast = problem.New(problem.Invalid, "ca-date-past", "That day is over: every board with a certificate would be cut off now. If you want that, say --at-once instead of a date.")

func (s *Server) caRotate(ctx context.Context, in struct {
	Until  time.Time `json:"accept_old_until"`
	AtOnce bool      `json:"at_once"`
}) (any, error) {
	until, now := in.Until.Add(24*time.Hour), s.world.Now() // the day itself included
	switch {
	case in.AtOnce:
		until = now
	case until.Before(now):
		return nil, errPast
	}
	if _, err := s.authority.Rotate(ctx, operator, until); err != nil {
		return nil, err
	}
	return s.caStatus(ctx, none{})
}

func (s *Server) caList(ctx context.Context, in struct {
	Device string `json:"device"`
}) (any, error) {
	d, err := s.devices.Find(ctx, in.Device)
	if err != nil {
		return nil, err
	}
	all, err := s.authority.List(ctx, operator, ca.Device{ID: d.ID, Space: d.Space}, true)
	out := make([]map[string]any, 0, len(all))
	for _, c := range all {
		row := map[string]any{"id": c.ID, "generation": c.Generation, "serial": fmt.Sprintf("%x", c.Serial), "state": c.State,
			"not_before": c.NotBefore, "not_after": c.NotAfter, "enabled": c.Enabled}
		if !c.RevokedAt.IsZero() {
			row["revoked_at"] = c.RevokedAt
		}
		out = append(out, row)
	}
	return out, err
}

func (s *Server) caRevoke(ctx context.Context, in struct {
	Device      string `json:"device"`
	Certificate string `json:"certificate"`
	Reason      string `json:"reason"`
}) (any, error) {
	reason, err := ca.ParseReason(orElse(in.Reason, string(ca.Unspecified)))
	if err != nil {
		return nil, err
	}
	d, err := s.devices.Find(ctx, in.Device)
	if err != nil {
		return nil, err
	}
	return map[string]any{"id": in.Certificate, "device": d.ID, "reason": reason}, s.authority.Revoke(ctx, operator, ca.Device{ID: d.ID, Space: d.Space}, in.Certificate, reason)
}

// maxKeepArchives is a century, in days.
const maxKeepArchives = 36_500

var errKeepArchives = problem.New(problem.Invalid, "backup-keep", "Data archives are kept for 1 to 36,500 days, or for as long as you like with 0.")

func (s *Server) backup(ctx context.Context, in struct {
	Dir  string `json:"dir"`
	Days int    `json:"keep_days"`
}) (any, error) {
	if in.Days < 0 || in.Days > maxKeepArchives {
		return nil, errKeepArchives
	}
	// What was erased a moment ago shall not live on in the archive of keys.
	if _, err := s.shredder.All(ctx); err != nil {
		return nil, err
	}
	d := s.data
	return backup.To(ctx, backup.Source{
		Dir: s.cfg.Data, Root: d.root, Ring: d.ring, Core: d.core, History: d.history, Keyring: d.keyring,
		Program: "ardesia", Now: s.world.Now,
	}, in.Dir, time.Duration(in.Days)*24*time.Hour)
}

// check reads everything that is stored, as doctor asks.
func (s *Server) check(ctx context.Context, _ none) (any, error) {
	all := append(s.data.examine(ctx), examineGuard(s.guard, s.cfg)...)
	all = append(all, examineAudit(ctx, s.audit))
	out := make([]wireFinding, 0, len(all))
	for _, f := range all {
		out = append(out, wireFinding(f))
	}
	return out, nil
}
