package apitype

import (
	"encoding/json"
	"time"
)

// The states of a job.
const (
	JobPreparing = "preparing" // The list is being sorted.
	JobRunning   = "running"
	JobPaused    = "paused"
	JobFinished  = "finished"  // Every row has its outcome.
	JobCancelled = "cancelled" // Rows without an outcome stay so.
	JobFailed    = "failed"    // It cannot go on; Problem says why.
	JobDeleting  = "deleting"  // It is gone as soon as its files are.
)

// A Job is a list on its way. For it the rules of an answer hold: every field is there, and what is not known or does not
// apply is null, in Go the zero value.
type Job struct {
	ID      string  `json:"id"`
	App     string  `json:"app"`     // Whose job it is.
	Name    string  `json:"name"`    // Of the list; null if none was given.
	State   string  `json:"state"`   // One of the states.
	Problem string  `json:"problem"` // Why it failed, or does not get on; null if nothing is wrong.
	List    JobList `json:"list"`

	Rows      int64 `json:"rows"`      // 0 until the list is sorted, as the next two.
	Addresses int64 `json:"addresses"` // Different ones; each is asked about once.
	Domains   int64 `json:"domains"`

	Done      int64         `json:"done"`       // Rows that have their outcome.
	Bad       int64         `json:"bad"`        // Of these, rows that could not be read.
	Waiting   int64         `json:"waiting"`    // Rows that a mail server put off, and that are asked about again.
	Verdicts  VerdictCounts `json:"verdicts"`   // Rows that are done.
	Reasons   []JobReason   `json:"reasons"`    // The same, by reason, the commonest first.
	Providers []JobProvider `json:"providers"`  // The same, by provider, the largest first.
	AcceptAll int64         `json:"accept_all"` // Rows that are done whose domain accepts every recipient.

	Progress JobProgress `json:"progress"`
	Bounces  []JobBounce `json:"bounces"`       // How many messages would bounce; empty before anything is done.
	Method   string      `json:"bounce_method"` // How that was estimated; null before anything is done.
	Worst    []JobDomain `json:"worst_domains"` // Those with the most undeliverable rows; empty before the end.

	Patience  string      `json:"patience"`   // How long a row waits out greylisting.
	TimeLimit string      `json:"time_limit"` // When the job ends whatever is left, from its creation; null for never.
	RerunOf   string      `json:"rerun_of"`   // The job whose list this is; null if it is no rerun.
	Took      []string    `json:"took"`       // Of a rerun: rows with these verdicts were taken. Else empty.
	Webhook   *JobWebhook `json:"webhook"`    // null if there is none.

	CreatedAt time.Time `json:"created_at"`
	StartedAt time.Time `json:"started_at"` // When its rows began to be asked about; null before.
	EndedAt   time.Time `json:"ended_at"`   // null before.
	ExpiresAt time.Time `json:"expires_at"` // When it is deleted; null before its end, and if it is kept for ever.
}

// A JobList is what was found out about a list.
type JobList struct {
	Format      string `json:"format"`      // csv, ndjson, lines.
	Description string `json:"description"` // All that was found, in a sentence.
	Column      string `json:"column"`      // The name of the column that holds the addresses; null if it has none.
	Bytes       int64  `json:"bytes"`       // As it was sent.
}

// A JobReason is the rows of one reason.
type JobReason struct {
	Reason  string `json:"reason"`
	Verdict string `json:"verdict"`
	Rows    int64  `json:"rows"`
}

// A JobProvider is the rows of one provider.
type JobProvider struct {
	Provider string        `json:"provider"` // null for all whose provider is not known.
	Verdicts VerdictCounts `json:"verdicts"`
}

// JobProgress is what a job does at the moment. A job that does not run has zeros and nulls there.
type JobProgress struct {
	InFlight    int64     `json:"in_flight"`     // Addresses that are being asked about.
	Rate        float64   `json:"rate"`          // Rows a second that got their outcome, lately.
	LeftS       *int64    `json:"left_s"`        // How many seconds it still takes, by budgets and round trips; null if that is not known.
	OnHold      int64     `json:"on_hold"`       // Rows that wait for a budget, at all sites.
	Sites       int64     `json:"sites"`         // At how many.
	Holds       []JobHold `json:"holds"`         // The sites with the most of them.
	NextRetryAt time.Time `json:"next_retry_at"` // When the first row that was put off is asked about again; null if there is none.
}

// A JobHold is rows that wait for one site, or for all sites of one provider.
type JobHold struct {
	Site   string    `json:"site"`   // The provider, or one of the mail hosts.
	Source string    `json:"source"` // The source that is to ask; "" if that is not known.
	Limit  string    `json:"limit"`  // What holds most of them back, such as "refusals_per_hour"; "" if that is not known.
	Rows   int64     `json:"rows"`
	Until  time.Time `json:"until"` // When it is tried again.
	Reason string    `json:"reason"`
	Why    string    `json:"why"` // In words.
}

// A JobBounce is the share of messages that would bounce if all rows were sent to but those of some verdicts.
type JobBounce struct {
	Drop   []string `json:"drop"` // The verdicts that are left out.
	Rows   int64    `json:"rows"` // That are left.
	Low    float64  `json:"low"`  // Shares, 0 to 1.
	Likely float64  `json:"likely"`
	High   float64  `json:"high"`
}

// A JobDomain is the rows of one domain.
type JobDomain struct {
	Domain        string `json:"domain"`
	Rows          int64  `json:"rows"`
	Undeliverable int64  `json:"undeliverable"`
}

// A JobWebhook is who is told of a job's end, and how far that is.
type JobWebhook struct {
	URL         string    `json:"url"`
	Tries       int64     `json:"tries"`
	DeliveredAt time.Time `json:"delivered_at"` // null if it was not told.
	NextAt      time.Time `json:"next_at"`      // When it is tried again; null if it is not.
	Problem     string    `json:"problem"`      // Of the last try; null if there was none.
}

// JobPage is the reply of GET /v1/jobs.
type JobPage struct {
	Jobs []Job  `json:"jobs"` // The newest first.
	Next string `json:"next"` // The value of before for the next page; null if this was the last.
}

// The types below are the same with null for zero values. A field at a lesser depth hides its namesake.

type (
	plainJob      Job
	plainList     JobList
	plainProvider JobProvider
	plainProgress JobProgress
	plainWebhook  JobWebhook
	plainPage     JobPage
)

// MarshalJSON writes j with zero values as null.
func (j Job) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		plainJob
		Name      *string    `json:"name"`
		Problem   *string    `json:"problem"`
		Method    *string    `json:"bounce_method"`
		TimeLimit *string    `json:"time_limit"`
		RerunOf   *string    `json:"rerun_of"`
		CreatedAt *time.Time `json:"created_at"`
		StartedAt *time.Time `json:"started_at"`
		EndedAt   *time.Time `json:"ended_at"`
		ExpiresAt *time.Time `json:"expires_at"`
	}{
		plainJob(j), text(j.Name), text(j.Problem), text(j.Method), text(j.TimeLimit), text(j.RerunOf),
		moment(j.CreatedAt), moment(j.StartedAt), moment(j.EndedAt), moment(j.ExpiresAt),
	})
}

// MarshalJSON writes l with zero values as null.
func (l JobList) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		plainList
		Column *string `json:"column"`
	}{plainList(l), text(l.Column)})
}

// MarshalJSON writes p with zero values as null.
func (p JobProvider) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		plainProvider
		Provider *string `json:"provider"`
	}{plainProvider(p), text(p.Provider)})
}

// MarshalJSON writes p with zero values as null.
func (p JobProgress) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		plainProgress
		NextRetryAt *time.Time `json:"next_retry_at"`
	}{plainProgress(p), moment(p.NextRetryAt)})
}

// MarshalJSON writes w with zero values as null.
func (w JobWebhook) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		plainWebhook
		DeliveredAt *time.Time `json:"delivered_at"`
		NextAt      *time.Time `json:"next_at"`
		Problem     *string    `json:"problem"`
	}{plainWebhook(w), moment(w.DeliveredAt), moment(w.NextAt), text(w.Problem)})
}

// MarshalJSON writes p with zero values as null.
func (p JobPage) MarshalJSON() ([]byte, error) {
	return json.Marshal(struct {
		plainPage
		Next *string `json:"next"`
	}{plainPage(p), text(p.Next)})
}

func text(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// moment is t in UTC, to the millisecond.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Millisecond)
	return &t
}
