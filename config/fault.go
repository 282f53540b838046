package config

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// A Fault is one thing that is wrong with a configuration.
type Fault struct {
	File     string // The file's path; "" if the fault is not in a file.
	Line     int    // From 1; 0 if it is not known.
	Column   int    // In characters, from 1; 0 if it is not known.
	Variable string // The environment variable that holds the value; "" if none does.
	Key      string // Such as egress.sources[1].ipv4; "" if the fault is about no single key.
	Problem  string // What is wrong, and what would be right.
	Hint     string // What was probably meant; "" if nothing is near.
	Err      error  // The cause, such as fs.ErrNotExist; nil if there is none but the Problem.
}

// Error is the fault in one line: place, key, problem, hint.
func (f Fault) Error() string {
	var b strings.Builder
	if f.File != "" {
		b.WriteString(f.File)
		if f.Line > 0 {
			fmt.Fprintf(&b, ":%d", f.Line)
		}
		if f.Line > 0 && f.Column > 0 {
			fmt.Fprintf(&b, ":%d", f.Column)
		}
		b.WriteString(": ")
	}
	if f.Variable != "" {
		b.WriteString("environment " + f.Variable + ": ")
	}
	if f.Key != "" {
		b.WriteString(f.Key + ": ")
	}
	b.WriteString(f.Problem)
	if f.Hint != "" {
		b.WriteString(" (" + f.Hint + ")")
	}
	return b.String()
}

// Unwrap is the fault's cause.
func (f Fault) Unwrap() error { return f.Err }

// Faults are all that is wrong with a configuration, in the order of their places. It is the error of [Load].
type Faults []Fault

// Error is all faults, one a line.
func (fs Faults) Error() string {
	lines := make([]string, len(fs))
	for i, f := range fs {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap lets errors.Is and errors.As see each fault.
func (fs Faults) Unwrap() []error {
	errs := make([]error, len(fs))
	for i, f := range fs {
		errs[i] = f
	}
	return errs
}

// others is what err, a Faults or nil, says of keys of which fs says nothing.
func (fs Faults) others(err error) Faults {
	more, ok := errors.AsType[Faults](err)
	if err != nil && !ok {
		return Faults{{Problem: err.Error(), Err: err}}
	}
	return slices.DeleteFunc(slices.Clone(more), func(f Fault) bool {
		return slices.ContainsFunc(fs, func(o Fault) bool {
			return o.Key == f.Key || strings.HasPrefix(o.Key, f.Key+".") || strings.HasPrefix(o.Key, f.Key+"[")
		})
	})
}

// Err is fs in order, or nil if there is no fault.
func (fs Faults) Err() error {
	if len(fs) == 0 {
		return nil
	}
	sorted := slices.Clone(fs)
	slices.SortStableFunc(sorted, func(a, b Fault) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File),
			cmp.Compare(a.Line, b.Line),
			cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Variable, b.Variable),
		)
	})
	return sorted
}
