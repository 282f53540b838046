package preflight

import "slices"

// A judgement is what one run says of one source.
type judgement struct {
	state  State
	bind   bool // It is Bad for no other reason than that addresses are missing.
	why    string
	causes map[key]bool // The findings that make it Bad.
}

// judge says whether a source is fit by the findings of one run. Held is why it is out; nil if it is not. A finding that
// is unknown counts for nothing, unless it was one of those that put the source out: then it takes an answer to put
// it in again.
func judge(mode Mode, source string, findings []finding, held map[key]bool) judgement {
	var own []finding
	for i := range findings {
		if f := &findings[i]; f.Source == source || f.Source == "" {
			own = append(own, *f)
		}
	}
	if mode == Strict {
		return sum(own, held, func(f *finding) bool { return f.Severity != Info })
	}
	return judgeFamilies(own, held)
}

// judgeFamilies is judge in the mode Warn: one family that works is enough, since the pool has no need of the other.
func judgeFamilies(own []finding, held map[key]bool) judgement {
	var out judgement
	for _, fam := range []Family{IPv4, IPv6, ""} {
		mine := func(f *finding) bool { return f.Family == fam && f.Severity == Error }
		if !slices.ContainsFunc(own, func(f finding) bool { return mine(&f) }) {
			continue
		}
		out = better(out, sum(own, held, mine))
	}
	if out.state == "" { // Nothing was looked at.
		out.state = Unknown
	}
	return out
}

// better is what follows for a source from two families of it: the better one counts. Two that are bad are bad for the
// reasons of both.
func better(a, b judgement) judgement {
	rank := func(j judgement) int { return slices.Index([]State{"", Bad, Unknown, OK}, j.state) }
	switch {
	case rank(b) > rank(a):
		return b
	case a.state != Bad || b.state != Bad:
		return a
	}
	for k := range b.causes {
		a.causes[k] = true
	}
	a.bind = a.bind && b.bind
	a.why += "; " + b.why
	return a
}

// sum is what follows from all findings that count.
func sum(findings []finding, held map[key]bool, counts func(*finding) bool) judgement {
	out := judgement{state: OK, bind: true, causes: map[key]bool{}}
	answered := map[key]bool{}
	for i := range findings {
		f := &findings[i]
		if !counts(f) {
			continue
		}
		answered[f.key()] = f.State == OK
		if f.State != Bad {
			continue
		}
		out.state = Bad
		out.causes[f.key()] = true
		out.bind = out.bind && f.Check == CheckAddress
		if out.why == "" {
			out.why = f.What
		}
	}
	if out.state == Bad {
		return out
	}
	for k := range held {
		if clear, seen := answered[k]; seen && !clear {
			out.state = Unknown
		}
	}
	return out
}

// agreement is how many runs in a row it takes to move a source.
const agreement = 2

// A record is what the runs so far have made of a source. The zero record is fit.
type record struct {
	out     bool
	why     string
	causes  map[key]bool // Of being out.
	against int          // Runs in a row that say the opposite of out.
}

// note moves the record by what one run says. Of the first run of a source, a missing address is believed at once: the
// kernel is sure, and every attempt would fail.
func (r *record) note(j judgement, first bool) {
	opposite := j.state == Bad
	if r.out {
		opposite = j.state == OK
		if j.state == Bad {
			r.why, r.causes = j.why, j.causes
		}
	}
	if !opposite {
		r.against = 0
		return
	}
	r.against++
	switch {
	case r.against < agreement && (r.out || !first || !j.bind):
	case r.out:
		*r = record{}
	default:
		*r = record{out: true, why: j.why, causes: j.causes}
	}
}
