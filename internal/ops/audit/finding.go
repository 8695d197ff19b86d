package audit

import (
	"time"
)

// A Finding is one thing that is not as it was written.
type Finding struct {
	// Code is for programs: row-altered, row-missing, row-extra, journal-chain, journal-end, database-older, log-missing,
	// log-shorter, log-replaced, leaf-altered, tile-altered, tile-missing, checkpoint-missing, checkpoint-forged,
	// checkpoint-other, state-damaged, outside-unknown, outside-ahead, outside-differs.
	Code   string `json:"code"`
	Text   string `json:"text"`            // one sentence or two: what is wrong, and where
	Number int64  `json:"entry,omitempty"` // of the journal
	Index  int64  `json:"leaf,omitempty"`  // of the log, from 0
	File   string `json:"file,omitempty"`  // below DIR/audit

	level uint64 // of a tile
}

// A Break is where the log or the database went back, and the house knew and went on.
type Break struct {
	Number int64     `json:"entry"` // of the journal, that tells of it; it may be gone with a later break
	Leaf   uint64    `json:"leaf"`  // of the log, from 0
	At     time.Time `json:"at"`
	Action string    `json:"action"` // audit:restored or audit:truncated
	Text   string    `json:"text"`
}

// A Report is what Verify found.
type Report struct {
	Entries    int64     `json:"entries"` // of the journal
	Size       uint64    `json:"leaves"`  // of the log
	Waiting    int64     `json:"waiting"` // entries that are not in the log yet
	Root       []byte    `json:"root"`    // that the checkpoint signs
	Signed     uint64    `json:"signed"`  // leaves that the checkpoint signs
	Key        string    `json:"key"`     // with which others can check checkpoints
	Outside    uint64    `json:"outside"` // leaves of the checkpoint that was kept elsewhere; 0 for none
	Breaks     []Break   `json:"breaks"`
	Findings   []Finding `json:"findings"`
	Unreported int       `json:"unreported"` // findings above maxFindings

	altered map[uint64]bool // leaves of which the findings have told that they were altered
}

// maxFindings is how many a report names: whoever changed more is found by the first ones.
const maxFindings = 50

func (r *Report) bad(f Finding) {
	if len(r.Findings) >= maxFindings {
		r.Unreported++
		return
	}
	r.Findings = append(r.Findings, f)
}

// Whole says whether nothing was found.
func (r *Report) Whole() bool { return len(r.Findings) == 0 }
