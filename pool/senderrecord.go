package pool

import (
	"time"

	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/internal/wire"
)

// senderVersion is the first octet of a senderRecord. One of another version is none.
const senderVersion = 1

// A senderRecord is what is kept of a reverse-path that is refused everywhere. The zero senderRecord is of one that is not.
type senderRecord struct {
	Identity         uint64
	Until            time.Time // Zero if it is not refused.
	Source, Provider string    // Of the refusal.
	Refusal          *Outcome  // Not nil, if Until is not zero.
}

// senderKey is the key of the only senderRecord.
const senderKey = "sender"

func appendSender(b []byte, r senderRecord) []byte {
	b = wire.AppendTime(wire.AppendUint(append(b, senderVersion), r.Identity), r.Until)
	if r.Refusal == nil {
		return b
	}
	return appendRefusal(wire.AppendText(wire.AppendText(b, r.Source), r.Provider), r.Refusal)
}

// readSender takes any bytes.
func readSender(b []byte) (senderRecord, error) {
	r := new(wire.NewReader(b))
	r.Version(senderVersion)
	out := senderRecord{Identity: r.Uint(), Until: r.Time()}
	if !out.Until.IsZero() {
		out.Source, out.Provider, out.Refusal = r.Text(), r.Text(), readRefusal(r)
	}
	if !r.Done() {
		return senderRecord{}, errRecord
	}
	return out, nil
}

// record is what is kept of v.
func (v *senderState) record(p *Pool) senderRecord {
	r := senderRecord{Identity: v.identity()}
	if v.refusal != nil {
		r.Until, r.Source, r.Provider, r.Refusal = p.wall(v.until), v.refusal.Source, v.refusal.Provider, v.refusal
	}
	return r
}

// restoreSender puts into force what was kept of the reverse-path, unless it is another one now.
func (p *Pool) restoreSender(r *senderRecord) {
	v := &p.sender
	if r.Refusal == nil || r.Identity != v.identity() {
		return
	}
	now := p.now()
	v.refusal = r.Refusal
	v.refusal.Source, v.refusal.Provider = r.Source, r.Provider
	v.until = now + min(max(0, time.Until(r.Until)), senderRest) // A clock that was set back does not make it longer.
	v.refusal.RetryAt = p.wall(v.until)
}

// putSender adds what is kept of the reverse-path to a batch.
func (sc *scribe) putSender(b *store.Batch) {
	sc.pool.sender.dirty = false
	sc.state.sender.PutIn(b, []byte(senderKey), sc.pool.sender.record(sc.pool), memorable)
}
