package api

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/verimails/verimaild/daemon/bulk"
	"github.com/verimails/verimaild/daemon/bulk/table"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/verdict"
)

// jobFields are what POST /v1/jobs takes in its query string.
var jobFields = []field[bulk.Spec]{
	{name: "name", set: setText(func(s *bulk.Spec) *string { return &s.Name })},
	{name: "format", set: func(s *bulk.Spec, v string) error {
		s.List.Format = table.Format(v)
		return oneOf(v, string(table.CSV), string(table.NDJSON), string(table.Lines))
	}},
	{name: "column", set: setText(func(s *bulk.Spec) *string { return &s.List.Column })},
	{name: "header", set: func(s *bulk.Spec, v string) error {
		s.List.Header = v
		return oneOf(v, "present", "absent")
	}},
	{name: "delimiter", set: setText(func(s *bulk.Spec) *string { return &s.List.Delimiter })},
	{name: "charset", set: setText(func(s *bulk.Spec) *string { return &s.List.Charset })},
	{name: "patience", set: setSpan(func(s *bulk.Spec) *time.Duration { return &s.Patience }, 0, 7*24*time.Hour)},
	{name: "time_limit", set: setSpan(func(s *bulk.Spec) *time.Duration { return &s.TimeLimit }, time.Second, 366*24*time.Hour)},
	{name: "max_age", set: setSpan(func(s *bulk.Spec) *time.Duration { return &s.MaxAge }, 0, 10*366*24*time.Hour)},
	{name: "depth", set: func(s *bulk.Spec, v string) error {
		s.Depth = verify.Depth(v)
		return oneOf(v, string(verify.DepthSyntax), string(verify.DepthDNS), string(verify.DepthSMTP))
	}},
	{name: "webhook", set: func(s *bulk.Spec, v string) error {
		s.Webhook = v
		return bulk.CheckWebhook(v)
	}},
}

// parseJobQuery reads the query string of POST /v1/jobs.
func parseJobQuery(raw string) (bulk.Spec, error) {
	spec := bulk.Spec{Patience: -1, MaxAge: -1}
	err := readQuery(raw, jobFields, &spec)
	spec.List.Name = spec.Name
	return spec, err
}

// maxName bounds a text that is kept with a job, in bytes.
const maxName = 1000

func setText[T any](at func(*T) *string) func(*T, string) error {
	return func(v *T, s string) error {
		if i := invalidUTF8(s); i >= 0 {
			return fmt.Errorf("is not UTF-8 at byte %d", i)
		}
		if len(s) > maxName {
			return fmt.Errorf("has %d bytes, and must have at most %d", len(s), maxName)
		}
		*at(v) = s
		return nil
	}
}

func setSpan[T any](at func(*T) *time.Duration, least, most time.Duration) func(*T, string) error {
	return func(v *T, s string) error {
		d, err := parseDuration(s)
		if err != nil {
			return err
		}
		if d < least || d > most {
			return fmt.Errorf("is %s, and must be %v to %v", quote(s), least, most)
		}
		*at(v) = d
		return nil
	}
}

// oneOf says that s is none of some words.
func oneOf(s string, words ...string) error {
	if slices.Contains(words, s) {
		return nil
	}
	return fmt.Errorf("is %s, and must be %s", quote(s), strings.Join(words, ", "))
}

// A jobsQuery is what GET /v1/jobs takes.
type jobsQuery struct {
	limit  int
	before string
}

var jobsFields = []field[jobsQuery]{
	{name: "limit", number: true, set: func(q *jobsQuery, s string) (err error) {
		if q.limit, err = strconv.Atoi(s); err != nil || q.limit < 1 || q.limit > 1000 {
			return fmt.Errorf("is %s, and must be 1 to 1000", quote(s))
		}
		return nil
	}},
	{name: "before", set: setText(func(q *jobsQuery) *string { return &q.before })},
}

// A resultsQuery is what GET /v1/jobs/{id}/results takes.
type resultsQuery struct{ opts table.WriteOptions }

var resultsFields = []field[resultsQuery]{
	{name: "format", set: func(q *resultsQuery, s string) (err error) {
		if q.opts.Shape, err = table.ParseShape(s); err != nil {
			return fmt.Errorf("is %s, and must be one of %v", quote(s), table.Shapes())
		}
		return nil
	}},
	{name: "verdict", set: setVerdicts},
	{name: "reason", set: func(q *resultsQuery, s string) error {
		for word := range strings.SplitSeq(s, ",") {
			r, err := verdict.ParseReason(word)
			if err != nil {
				return fmt.Errorf("is %s, which is no reason", quote(word))
			}
			q.opts.Filter.Reasons = append(q.opts.Filter.Reasons, r)
		}
		return nil
	}},
	{name: "formulas", set: func(q *resultsQuery, s string) error {
		q.opts.RawFormulas = s == "raw"
		return oneOf(s, "safe", "raw")
	}},
	{name: "delimiter", set: func(q *resultsQuery, s string) error {
		if len(s) != 1 || s[0] < ' ' && s[0] != '\t' || s[0] > '~' || s == `"` {
			return errors.New("must be one ASCII character other than a quote")
		}
		q.opts.Delimiter = s
		return nil
	}},
	{name: "bom", flag: true, set: setSwitch(func(q *resultsQuery) *bool { return &q.opts.BOM })},
	{name: "header", flag: true, set: func(q *resultsQuery, s string) error {
		var header bool
		err := setSwitch(func(*resultsQuery) *bool { return &header })(q, s)
		q.opts.NoHeader = !header
		return err
	}},
}

// rerunFields are what POST /v1/jobs/{id}/rerun takes.
var rerunFields = []field[resultsQuery]{{name: "verdict", set: setVerdicts}}

func setVerdicts(q *resultsQuery, s string) error {
	for word := range strings.SplitSeq(s, ",") {
		v := verdict.Verdict(word)
		if !slices.Contains(verdict.Verdicts(), v) {
			return fmt.Errorf("is %s, and must be deliverable, risky, undeliverable or unknown, or some of them with commas", quote(word))
		}
		q.opts.Filter.Verdicts = append(q.opts.Filter.Verdicts, v)
	}
	return nil
}

func setSwitch[T any](at func(*T) *bool) func(*T, string) error {
	return func(v *T, s string) error {
		*at(v) = s == "true"
		return oneOf(s, "true", "false")
	}
}
