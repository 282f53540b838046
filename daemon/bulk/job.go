package bulk

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/verimails/verimaild/daemon/bulk/table"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/verdict"
)

// A State says what becomes of a job.
type State string

// The states.
const (
	Preparing State = "preparing" // The list is being sorted.
	Running   State = "running"   // Rows are asked about, or wait to be.
	Paused    State = "paused"    // No row is taken until it is resumed.
	Finished  State = "finished"  // Every row has its outcome.
	Cancelled State = "cancelled" // No row is taken any more; those without an outcome stay so.
	Failed    State = "failed"    // It cannot go on; Problem says why.
	Deleting  State = "deleting"  // It is gone as soon as its files are.
)

// Ended reports whether nothing more happens in this state by itself.
func (s State) Ended() bool { return s == Finished || s == Cancelled || s == Failed || s == Deleting }

// A Spec says what a job is to be.
type Spec struct {
	App    string // Whose job it is; "" means default.
	Weight int    // Of the application. 0 means 1.
	Name   string // Of the list, such as its file's; for people.

	List table.Options // What is known of the list beforehand.

	// Patience is how long a row waits out greylisting, from its first reply on. Negative means as configured.
	Patience time.Duration

	// TimeLimit ends the job this long after it was accepted: what has no outcome then gets the one that it has so far.
	// 0 means that it takes as long as budgets need.
	TimeLimit time.Duration

	MaxAge time.Duration // As in verify.Request.
	Depth  verify.Depth

	Webhook string // A URL that is told of the job's end; "" for none.
	Secret  string // Signs what the webhook is told; "" leaves it unsigned.
}

// A record is what the store holds of a job, beside its counts.
type record struct {
	ID      string            `json:"id"`
	Spec    Spec              `json:"spec"`
	State   State             `json:"state"` // Preparing until Order is there.
	Problem string            `json:"problem,omitempty"`
	Layout  table.Layout      `json:"layout"`
	Bytes   int64             `json:"bytes"` // Of the list as it came.
	Order   *sizes            `json:"order,omitempty"`
	Parent  string            `json:"parent,omitempty"` // The job that it is a rerun of.
	Of      []verdict.Verdict `json:"of,omitempty"`     // The verdicts that a rerun took.

	Created  time.Time `json:"created"`
	Started  time.Time `json:"started,omitzero"` // When it was prepared.
	Ended    time.Time `json:"ended,omitzero"`
	Summary  *Summary  `json:"summary,omitempty"` // Of a job that has ended.
	Delivery *Delivery `json:"delivery,omitempty"`
}

// recordCodec keeps records as JSON: they are few, and this way new fields need no new version.
func encodeRecord(dst []byte, r record) []byte {
	b, err := json.Marshal(&r)
	if err != nil {
		panic(err) // Only types of ours are in it.
	}
	return append(dst, b...)
}

func decodeRecord(b []byte) (r record, err error) {
	if err := json.Unmarshal(b, &r); err != nil {
		return r, fmt.Errorf("%w: %w", errDecode, err)
	}
	if len(r.ID) != idLength {
		return r, errDecode
	}
	return r, nil
}

// Counts are the rows that have a final outcome. The zero Counts are those of a job that has just begun.
type Counts struct {
	Done      int64                    // Rows with a final outcome, copies included.
	Answers   int64                    // The same without copies.
	Waiting   int64                    // Rows that were put off, and are asked about again.
	Reasons   map[verdict.Reason]int64 // Rows by reason.
	Providers map[string]Tally         // Rows by provider; "" where none is known.
	CatchAll  int64                    // Rows whose domain accepts every recipient.
	Bad       int64                    // Rows of the list that could not be read.
}

// A Tally is rows by verdict, in the order of verdict.Verdicts.
type Tally [4]int64

// Of is the rows with a verdict.
func (t Tally) Of(v verdict.Verdict) int64 {
	if i := slices.Index(verdict.Verdicts(), v); i >= 0 {
		return t[i]
	}
	return 0
}

// Total is all rows.
func (t Tally) Total() int64 { return t[0] + t[1] + t[2] + t[3] }

// add counts an outcome for the rows that have it.
func (c *Counts) add(q *question, o *Outcome) {
	if c.Reasons == nil {
		c.Reasons = map[verdict.Reason]int64{}
	}
	if c.Providers == nil {
		c.Providers = map[string]Tally{}
	}
	n := int64(q.rows)
	c.Done += n
	c.Answers++
	c.Reasons[o.Reason] += n
	t := c.Providers[o.Provider]
	t[slices.Index(verdict.Verdicts(), o.Verdict())] += n
	c.Providers[o.Provider] = t
	if o.Flags.CatchAll == verdict.True {
		c.CatchAll += n
	}
	if q.kind == badRow {
		c.Bad += n
	}
}

// clone is a copy that shares nothing.
func (c *Counts) clone() Counts {
	out := *c
	out.Reasons, out.Providers = maps.Clone(c.Reasons), maps.Clone(c.Providers)
	return out
}

// Verdicts is the rows by verdict.
func (c *Counts) Verdicts() Tally {
	var t Tally
	for r, n := range c.Reasons {
		t[slices.Index(verdict.Verdicts(), r.Verdict())] += n
	}
	return t
}

func encodeCounts(dst []byte, c Counts) []byte {
	b, err := json.Marshal(&c)
	if err != nil {
		panic(err) // As above.
	}
	return append(dst, b...)
}

func decodeCounts(b []byte) (c Counts, err error) {
	if err := json.Unmarshal(b, &c); err != nil {
		return c, errors.Join(errDecode, err)
	}
	return c, nil
}
