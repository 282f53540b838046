package bulk

import (
	"cmp"
	"slices"
	"strings"

	"github.com/verimails/verimaild/verify/verdict"
)

// A Summary is what is known of an ended job beside its counts.
type Summary struct {
	Worst []DomainCount `json:"worst"` // The domains with the most undeliverable rows.
}

// A DomainCount is one domain's rows.
type DomainCount struct {
	Domain        string `json:"domain"`
	Rows          int64  `json:"rows"`
	Undeliverable int64  `json:"undeliverable"`
}

// worst counts undeliverable rows by domain. With more domains than it has places for it keeps those with the most, and
// counts these low (the summary of Misra and Gries).
type worst struct{ rows map[uint32]int64 }

const (
	worstPlaces = 4096
	worstShown  = 10
)

func (w *worst) add(o *Outcome) {
	if o.Verdict() != verdict.Undeliverable {
		return
	}
	if w.rows == nil {
		w.rows = make(map[uint32]int64)
	}
	n := int64(o.rows)
	if _, known := w.rows[o.domain]; known || len(w.rows) < worstPlaces {
		w.rows[o.domain] += n
		return
	}
	least := n
	for _, have := range w.rows {
		least = min(least, have)
	}
	for d := range w.rows {
		if w.rows[d] -= least; w.rows[d] == 0 {
			delete(w.rows, d)
		}
	}
	if n > least {
		w.rows[o.domain] = n - least
	}
}

// summary is w with the names of domains. What cannot be an address has none and is left out.
func (w *worst) summary(o *order) (*Summary, error) {
	s := &Summary{}
	for i, n := range w.rows {
		d, err := o.domain(i)
		if err != nil {
			return nil, err
		}
		s.Worst = append(s.Worst, DomainCount{Rows: int64(d.rows), Undeliverable: n, Domain: ""})
		q, _, err := o.question(d.offset)
		if err != nil {
			return nil, err
		}
		s.Worst[len(s.Worst)-1].Domain = string(q.kind.domainText([]byte(q.text)))
	}
	s.Worst = slices.DeleteFunc(s.Worst, func(d DomainCount) bool { return d.Domain == "" })
	slices.SortFunc(s.Worst, func(a, b DomainCount) int {
		return cmp.Or(cmp.Compare(b.Undeliverable, a.Undeliverable), strings.Compare(a.Domain, b.Domain))
	})
	s.Worst = s.Worst[:min(worstShown, len(s.Worst))]
	return s, nil
}
