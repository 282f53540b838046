package ledger

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/internal/wire"
	"github.com/verimails/verimaild/verify/feedback"
)

// The records of a ledger are rows of counts. A key is 'p', a day as four bytes and a provider's id; or 'a' and an
// application's name. A value is a version and the counts as varints; what a later version adds stands at the end.

// counts is one record.
type counts []uint64

const (
	countsVersion = 1
	maxCounts     = 64
	maxName       = 255 // Bytes of a provider's id or an application's name.

	keyProvider = 'p'
	keyApp      = 'a'
)

var errCounts = errors.New("ledger: not a record of counts")

var countsCodec = store.Codec[counts]{Encode: appendCounts, Decode: decodeCounts}

func appendCounts(dst []byte, c counts) []byte {
	dst = append(dst, countsVersion)
	for _, n := range c {
		dst = wire.AppendUint(dst, n)
	}
	return dst
}

func decodeCounts(b []byte) (counts, error) {
	r := wire.NewReader(b)
	r.Version(countsVersion)
	var c counts
	for len(r.Rest()) > 0 && len(c) < maxCounts {
		c = append(c, r.Uint())
	}
	if !r.Done() {
		return nil, errCounts
	}
	return c, nil
}

// at is the ith count; 0 if the record has none.
func (c counts) at(i int) uint64 {
	if i < len(c) {
		return c[i]
	}
	return 0
}

// A measure is what became of messages to addresses that had been answered deliverable.
type measure struct{ delivered, bounced uint64 }

// A dayKey is a provider's measure of one day. The empty provider is the mail hosts that belong to none.
type dayKey struct {
	day      uint32 // Since 1970.
	provider string
}

func dayOf(t time.Time) uint32 {
	return uint32(max(t.Unix(), 0) / (24 * 60 * 60)) //nolint:gosec // G115: for the next ten million years.
}

func (k dayKey) key() string {
	return string(append(binary.BigEndian.AppendUint32([]byte{keyProvider}, k.day), k.provider...))
}

func (m measure) counts() counts { return counts{m.delivered, m.bounced} }

// A tally is what one application has reported.
type tally struct {
	reports uint64
	says    [len(saysOrder)]uint64
	effects [len(effectsOrder)]uint64
	exposed uint64
	last    uint64 // When it last reported, in seconds since 1970.
}

// saysOrder and effectsOrder are the places of a tally's counts; they may grow at their end, to columns each.
var (
	saysOrder = [...]feedback.Says{
		feedback.SaysDelivered, feedback.SaysRefused, feedback.SaysFull, feedback.SaysTemporary, feedback.SaysBlocked,
		feedback.SaysElsewhere, feedback.SaysUnclear,
	}
	effectsOrder = [...]feedback.Effect{
		feedback.EffectNone, feedback.EffectRemembered, feedback.EffectConfirmed, feedback.EffectCorrected,
		feedback.EffectContested, feedback.EffectDuplicate, feedback.EffectOutdated,
	}
)

// Where the counts of a tally stand in its record.
const (
	columns   = 16
	atReports = 0
	atExposed = 1
	atLast    = 2
	atSays    = columns
	atEffects = 2 * columns
	tallySize = 3 * columns
)

func (t *tally) counts() counts {
	c := make(counts, tallySize)
	c[atReports], c[atExposed], c[atLast] = t.reports, t.exposed, t.last
	copy(c[atSays:], t.says[:])
	copy(c[atEffects:], t.effects[:])
	return c
}

func tallyOf(c counts) tally {
	t := tally{reports: c.at(atReports), exposed: c.at(atExposed), last: c.at(atLast)}
	for i := range t.says {
		t.says[i] = c.at(atSays + i)
	}
	for i := range t.effects {
		t.effects[i] = c.at(atEffects + i)
	}
	return t
}

// count adds a report to the counts.
func (l *Ledger) count(app string, res *Result, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := l.apps[app]
	t.reports++
	t.last = uint64(max(now.Unix(), 0)) //nolint:gosec // G115: not negative.
	for i, s := range saysOrder {
		if s == res.Says {
			t.says[i]++
		}
	}
	for i, e := range effectsOrder {
		if e == res.Effect {
			t.effects[i]++
		}
	}
	if res.Expose {
		t.exposed++
	}
	l.apps[app] = t
	l.dirty[string(keyApp)+app] = true
	if res.Count == feedback.CountNothing {
		return
	}
	k := dayKey{dayOf(now), res.Provider}
	m := l.days[k]
	if res.Count == feedback.CountDelivered {
		m.delivered++
	} else {
		m.bounced++
	}
	l.days[k] = m
	l.dirty[k.key()] = true
}

// gather puts what is not written yet into b, and returns the keys. Days that no longer count are dropped from memory;
// on disk they expire.
func (l *Ledger) gather(b *store.Batch) (keys []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	oldest := dayOf(l.now().Add(-feedback.Window))
	for k, m := range l.days {
		switch key := k.key(); {
		case k.day < oldest:
			delete(l.days, k)
			delete(l.dirty, key)
		case l.dirty[key]:
			l.records.PutIn(b, []byte(key), m.counts(), feedback.Window+48*time.Hour)
			keys = append(keys, key)
		}
	}
	for app, t := range l.apps {
		if key := string(keyApp) + app; l.dirty[key] {
			l.records.PutIn(b, []byte(key), t.counts(), 0)
			keys = append(keys, key)
		}
	}
	clear(l.dirty)
	return keys
}

// load reads what was counted before.
func (l *Ledger) load() error {
	for item, err := range l.records.Scan(store.Range{}) {
		if err == nil {
			err = l.restore(item.Key, item.Value)
		} else if !store.IsBad(err) {
			return fmt.Errorf("ledger: read the counts: %w", err)
		}
		if err != nil {
			l.log.Warn("a record of reports can't be read and is left out", zap.Error(err))
		}
	}
	return nil
}

// restore takes one record in.
func (l *Ledger) restore(key []byte, c counts) error {
	if len(key) < 1 || len(key) > 5+maxName {
		return errCounts
	}
	switch kind, rest := key[0], key[1:]; {
	case kind == keyApp && len(rest) > 0:
		l.apps[string(rest)] = tallyOf(c)
	case kind == keyProvider && len(rest) >= 4:
		l.days[dayKey{binary.BigEndian.Uint32(rest), string(rest[4:])}] = measure{c.at(0), c.at(1)}
	default:
		return errCounts
	}
	return nil
}
