package org

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/ardesia-iot/ardesia/internal/base/problem"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

var (
	// ErrQuota is a space that has as much as it may have.
	ErrQuota = problem.New(problem.Precondition, "space-quota", "The space has as much as it may have.")
	// ErrLimit is a limit that cannot be set.
	ErrLimit = problem.New(problem.Invalid, "space-limit", "A limit is 1 to 1,000,000,000, or 0 for no limit, of: "+strings.Join(quotaNames(), ", ")+".")
)

// A Quota is something of which a space may have so many.
type Quota string

const (
	Devices    Quota = "devices" // deleted ones count until they are gone for good
	Things     Quota = "things"  // the same
	Properties Quota = "properties"
	Members    Quota = "members"
	APIKeys    Quota = "apikeys"
	Triggers   Quota = "triggers"   // deleted ones count until they are gone for good
	Notices    Quota = "notices"    // what triggers do in a day, UTC
	Syncs      Quota = "syncs"      // groups of properties that are kept the same
	Dashboards Quota = "dashboards" // as devices and things
	Storage    Quota = "storage"    // MiB of uploaded files and pictures
	Values     Quota = "values"     // that are sent in a day of UTC, by boards and people
	Requests   Quota = "requests"   // of the API in a minute, of all keys and people together; a sixth of them at once
)

// Quotas are all of them, in the order in which people read them.
func Quotas() []Quota {
	return []Quota{Devices, Things, Properties, Members, APIKeys, Dashboards, Triggers, Notices, Syncs, Storage, Requests, Values}
}

func quotaNames() []string {
	var all []string
	for _, q := range Quotas() {
		all = append(all, string(q))
	}
	return all
}

// maxLimit is more than a server can hold.
const maxLimit = 1_000_000_000

// Limits are how many of each quota a space may have; 0 is without limit.
type Limits map[Quota]int

// DefaultLimits hold where nobody says otherwise. They keep one space from taking the
// machine away from all others: a thousand times what a workshop has. How many values a machine can take
// its operator must say.
func DefaultLimits() Limits {
	return Limits{Devices: 100_000, Things: 100_000, Properties: 1_000_000, Dashboards: 1_000, Members: 1_000, APIKeys: 1_000, Storage: 1_024, Triggers: 1_000, Notices: 100_000, Syncs: 1_000, Requests: 6_000}
}

// ParseLimits reads texts such as "devices=500" over the defaults.
func ParseLimits(texts []string) (Limits, error) {
	all := DefaultLimits()
	for _, text := range texts {
		name, number, ok := strings.Cut(text, "=")
		n, err := strconv.Atoi(strings.TrimSpace(number))
		q := Quota(strings.TrimSpace(name))
		if !ok || err != nil || checkLimit(q, n) != nil {
			return nil, fmt.Errorf("%q is not KIND=NUMBER: %w", text, ErrLimit)
		}
		all[q] = n
	}
	return all, nil
}

func checkLimit(q Quota, n int) error {
	if !slices.Contains(Quotas(), q) || n < 0 || n > maxLimit {
		return ErrLimit
	}
	return nil
}

// FullText says that a space has as many as it may, and how to get more.
func FullText(q Quota, used, most int) string {
	return fmt.Sprintf("This space has %d of at most %d %s. Remove some, or ask whoever runs this server for more (ardesia space quota).", used, most, nouns[q])
}

var nouns = map[Quota]string{Devices: "devices (deleted ones included, until they are gone for good)", Things: "things (deleted ones included, until they are gone for good)",
	Properties: "properties", Dashboards: "dashboards (deleted ones included, until they are gone for good)", Members: "members", APIKeys: "API keys",
	Triggers: "triggers (deleted ones included, until they are gone for good)", Notices: "acts of triggers today", Syncs: "groups of synchronised properties",
	Storage: "MiB of uploaded files", Values: "values today", Requests: "requests a minute"}

// A Use is how much of a quota a space has used.
type Use struct {
	Quota Quota
	Used  int
	Most  int  // 0: without limit
	Own   bool // the limit is this space's own, not the server's
}

// SetLimit gives a space a limit of its own; 0 is none, and back returns to the
// server's. What a space has beyond it stays.
func (s *Service) SetLimit(ctx context.Context, who access.Actor, space string, q Quota, most int, back bool) error {
	if err := checkLimit(q, most); err != nil {
		return err
	}
	detail := map[string]string{"quota": string(q), "most": strconv.Itoa(most)}
	if back {
		detail["most"] = "default"
	}
	if err := s.needs.Store.setLimit(ctx, space, q, most, back, s.entry(who, "org:quota", space, detail)); err != nil {
		return err
	}
	s.limits.Changed()
	s.meters.mu.Lock()
	m := s.meters.all[space]
	s.meters.mu.Unlock()
	if q != Values || m == nil {
		return nil
	}
	most, err := s.Limit(ctx, space, Values)
	m.most.Store(int64(most))
	return err
}

// limitsOf are a space's own limits.
func (s *Service) limitsOf(ctx context.Context, space string) (Limits, error) {
	own, err := s.limits.Get(space, func() (Limits, error) { return s.needs.Store.limits(ctx, space) })
	if err != nil {
		return nil, fmt.Errorf("limits of space %s: %w", space, err)
	}
	return own, nil
}

// Limit is how many of q a space may have; 0 is without limit.
func (s *Service) Limit(ctx context.Context, space string, q Quota) (int, error) {
	own, err := s.limitsOf(ctx, space)
	if err != nil {
		return 0, err
	}
	if n, ok := own[q]; ok {
		return n, nil
	}
	return s.needs.Limits[q], nil
}

// Usage tells what a space has of all that is limited.
func (s *Service) Usage(ctx context.Context, space string) ([]Use, error) {
	own, err := s.limitsOf(ctx, space)
	if err != nil {
		return nil, err
	}
	var all []Use
	for _, q := range Quotas() {
		u := Use{Quota: q, Most: s.needs.Limits[q]}
		if n, ok := own[q]; ok {
			u.Most, u.Own = n, true
		}
		switch q {
		case Members:
			var members []Member
			members, err = s.Members(ctx, space)
			u.Used = len(members)
		case Values:
			u.Used, err = s.valuesUsed(ctx, space)
		default:
			if u.Used, err = s.needs.Count(ctx, space, q); err != nil {
				err = fmt.Errorf("count %s of space %s: %w", q, space, err)
			}
		}
		if err != nil {
			return nil, err
		}
		all = append(all, u)
	}
	return all, nil
}

// checkLimits says what is wrong with limits of the server.
func checkLimits(l Limits) error {
	for _, q := range slices.Sorted(maps.Keys(l)) {
		if err := checkLimit(q, l[q]); err != nil {
			return errors.Join(fmt.Errorf("limit of %s", q), err)
		}
	}
	return nil
}
