package guard

import (
	"encoding/hex"
	"fmt"

	"github.com/ardesia-iot/ardesia/internal/base/journal"
	"github.com/ardesia-iot/ardesia/internal/people/access"
)

// tellOf tells what happened to one account or client. Nobody hears of one that does not exist.
func (s *Service) tellOf(kind Kind, t *Try, k key, n int) {
	e := Event{Kind: kind, Account: label(t.Account), Subject: hex.EncodeToString(k[:8]), Failures: n}
	if t.Act == Token {
		e.Client = label(t.Who)
	}
	if e.Account != "" || e.Client != "" {
		s.tell(e)
	}
}

// labelOf is what an operator is shown of a subject.
func labelOf(r *rule, t *Try) string {
	switch {
	case r.scope == network, r.scope == address:
		return neighbourhood(t.Addr).String()
	case t.Account != "":
		return label(t.Account)
	case t.Act == Token:
		return label(t.Who)
	}
	return ""
}

// tell publishes e unless the same was told not long ago, and queues its journal entry.
func (s *Service) tell(e Event) {
	k := muteKey{e.Kind, e.Subject}
	if at, told := s.muted.Get(k); told && s.inner-at < int64(mute[e.Kind]) {
		return
	}
	s.muted.Set(k, s.inner)
	e.At = s.last.UTC()
	s.stats.Events[e.Kind]++
	if len(s.recent) == maxRecent {
		s.recent = append(s.recent[:0], s.recent[1:]...)
	}
	s.recent = append(s.recent, e)
	if len(s.entries) < maxEntries {
		s.entries = append(s.entries, e.entry())
	} else {
		s.stats.Lost++
	}
	s.Events.Publish(e)
}

// entry is what the journal keeps of an event.
func (e Event) entry() journal.Entry {
	j := journal.Entry{At: e.At, Actor: access.Actor{Kind: access.System}.String(), Action: "guard:" + e.Kind.String(), Resource: "guard", ID: e.Subject, Detail: map[string]string{}}
	for name, text := range map[string]string{"account": e.Account, "client": e.Client, "from": e.From, "to": e.To} {
		if text != "" {
			j.Detail[name] = text
		}
	}
	for name, n := range map[string]int{"accounts": e.Accounts, "addresses": e.Addresses, "failures": e.Failures} {
		if n != 0 {
			j.Detail[name] = fmt.Sprint(n)
		}
	}
	return j
}

// Stats says what happened since the start.
func (s *Service) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := s.stats
	for _, t := range s.tables {
		all.Subjects += len(t.all)
	}
	all.Unsaved = len(s.waiting)
	return all
}
