package pool

import (
	"errors"
	"net/netip"

	"github.com/verimails/verimaild/internal/wire"
	"github.com/verimails/verimaild/pool/budget"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
)

// recordVersion is the first octet of a record. A record of another version is no record.
const recordVersion = 1

// errRecord says that bytes are no record.
var errRecord = errors.New("pool: not a record")

func appendRecord(b []byte, r record) []byte {
	b = append(b, recordVersion)
	b = wire.AppendTime(b, r.Written)
	b = appendLearned(b, &r.Learned)
	b = wire.AppendList(b, r.Hosts, appendHost)
	b = wire.AppendList(b, r.Accounts, appendAccount)
	return wire.AppendList(b, r.Paths, appendPath)
}

// readRecord takes any bytes.
func readRecord(b []byte) (record, error) {
	r := new(wire.NewReader(b))
	r.Version(recordVersion)
	out := record{
		Written: r.Time(), Learned: readLearned(r), Hosts: wire.List(r, readHost), Accounts: wire.List(r, readAccount),
		Paths: wire.List(r, readPath),
	}
	if !r.Done() {
		return record{}, errRecord
	}
	return out, nil
}

func appendLearned(b []byte, l *learned) []byte {
	for _, n := range []int{l.Recipients, l.Transactions, l.Refusals, l.Proven} {
		b = wire.AppendInt(b, n)
	}
	return wire.AppendTime(wire.AppendDuration(wire.AppendDuration(b, l.Idle), l.Age), l.At)
}

func readLearned(r *wire.Reader) learned {
	l := learned{Recipients: count(r), Transactions: count(r), Refusals: count(r), Proven: count(r)}
	l.Idle, l.Age = max(0, r.Duration()), max(0, r.Duration())
	l.At = r.Time()
	return l
}

// count reads a number that is not negative.
func count(r *wire.Reader) int { return max(0, r.Int()) }

func appendHost(b []byte, h *hostNote) []byte {
	b = wire.AppendText(b, h.Name)
	for _, t := range h.Until {
		b = wire.AppendTime(b, t)
	}
	return b
}

func readHost(r *wire.Reader) hostNote {
	h := hostNote{Name: r.Text()}
	for d := range h.Until {
		h.Until[d] = r.Time()
	}
	return h
}

func appendAccount(b []byte, a *accountNote) []byte {
	b = wire.AppendText(b, a.Prefix.String())
	b = wire.AppendList(wire.AppendList(b, a.Dead, appendMinute), a.Controls, appendMinute)
	b = wire.AppendInt(wire.AppendInt(b, a.Leased.targets), a.Leased.controls)
	return wire.AppendDuration(wire.AppendInt(b, a.Allowed), a.Raised)
}

func readAccount(r *wire.Reader) accountNote {
	prefix, err := netip.ParsePrefix(r.Text())
	if err != nil { // The zero prefix is written as one that can't be parsed.
		prefix = netip.Prefix{}
	}
	a := accountNote{Prefix: prefix, Dead: wire.List(r, readMinute), Controls: wire.List(r, readMinute)}
	a.Leased = hold{count(r), count(r)}
	a.Allowed, a.Raised = count(r), r.Duration()
	return a
}

func appendMinute(b []byte, m *budget.Minute) []byte {
	return wire.AppendInt(wire.AppendInt(b, m.Ago), m.Events)
}

func readMinute(r *wire.Reader) budget.Minute { return budget.Minute{Ago: count(r), Events: count(r)} }

func appendEvent(b []byte, e *budget.Event) []byte {
	return wire.AppendBools(wire.AppendInt(b, e.Ago), e.Bad)
}

func readEvent(r *wire.Reader) budget.Event {
	e := budget.Event{Ago: count(r)}
	r.Bools(&e.Bad)
	return e
}

func appendPath(b []byte, p *pathNote) []byte {
	b = wire.AppendDuration(wire.AppendText(b, p.Source), p.Debt)
	b = wire.AppendFloat(wire.AppendFloat(b, p.LearnedRate), p.Window)
	b = wire.AppendList(wire.AppendList(b, p.Ratio, appendEvent), p.Openings, appendMinute)
	b = wire.AppendDuration(wire.AppendDuration(b, p.NextDial), p.LastProbe)
	k := &p.Breaker
	b = wire.AppendBools(b, p.Welcome, p.PutOff, k.Opened, k.Tried, p.Refusal != nil)
	b = wire.AppendDuration(b, k.Until)
	b = wire.AppendInt(wire.AppendInt(wire.AppendInt(b, k.Opens), k.Fails), k.Clean)
	if p.Refusal != nil {
		b = appendRefusal(b, p.Refusal)
	}
	return b
}

func readPath(r *wire.Reader) pathNote {
	p := pathNote{Source: r.Text(), Debt: max(0, r.Duration()), LearnedRate: r.Float(), Window: r.Float()}
	p.Ratio, p.Openings = wire.List(r, readEvent), wire.List(r, readMinute)
	p.NextDial, p.LastProbe = r.Duration(), r.Duration()
	refused := false
	k := &p.Breaker
	r.Bools(&p.Welcome, &p.PutOff, &k.Opened, &k.Tried, &refused)
	k.Until, k.Opens, k.Fails, k.Clean = r.Duration(), count(r), count(r), count(r)
	if refused {
		p.Refusal = readRefusal(r)
	}
	return p
}

// mostText is how much of a refusal's text is kept.
const mostText = 512

// appendRefusal keeps what an answer shows of a refusal, without the recipient: whom it was about is nobody's business
// a day later.
func appendRefusal(b []byte, o *Outcome) []byte {
	text := o.Reply.Text()
	text = text[:min(len(text), mostText)]
	for _, s := range []string{
		string(o.Stage), text, string(o.Meaning.Class), string(o.Meaning.Scope), string(o.Meaning.Detail), o.Meaning.Rule,
		string(o.Failure), o.Detail[:min(len(o.Detail), mostText)], o.Host, o.TLS,
	} {
		b = wire.AppendText(b, s)
	}
	ip, _ := o.IP.MarshalText() // Cannot fail.
	b = wire.AppendText(b, string(ip))
	e := o.Reply.Enhanced
	b = wire.AppendInt(wire.AppendInt(wire.AppendInt(wire.AppendInt(b, o.Reply.Code), int(e.Class)), int(e.Subject)), int(e.Detail))
	return wire.AppendTime(wire.AppendTime(b, o.At), o.RetryAt)
}

func readRefusal(r *wire.Reader) *Outcome {
	o := &Outcome{Stage: smtp.Stage(r.Text()), Remembered: true}
	text := r.Text()
	o.Meaning = reply.Meaning{
		Class: reply.Class(r.Text()), Scope: reply.Scope(r.Text()), Detail: reply.Detail(r.Text()), Rule: r.Text(),
	}
	o.Failure, o.Detail, o.Host, o.TLS = Failure(r.Text()), r.Text(), r.Text(), r.Text()
	_ = o.IP.UnmarshalText([]byte(r.Text())) // What is no address is none.
	o.Reply.Code = count(r)
	o.Reply.Enhanced = smtp.EnhancedCode{Class: uint16(count(r)), Subject: uint16(count(r)), Detail: uint16(count(r))} //nolint:gosec // G115: what is out of range is some other code.
	if text != "" {
		o.Reply.Lines = []string{text}
	}
	o.At, o.RetryAt = r.Time(), r.Time()
	o.Reply.At = o.At
	return o
}
