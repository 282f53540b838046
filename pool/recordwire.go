package pool

import (
	"net/netip"

	"github.com/verimails/verimaild/pool/budget"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
)

// recordVersion is the first octet of a record. A record of another version is no record.
const recordVersion = 1

func appendRecord(b []byte, r record) []byte {
	b = append(b, recordVersion)
	b = appendTime(b, r.Written)
	b = appendLearned(b, &r.Learned)
	b = appendAll(b, r.Hosts, appendHost)
	b = appendAll(b, r.Accounts, appendAccount)
	return appendAll(b, r.Paths, appendPath)
}

// readRecord takes any bytes.
func readRecord(b []byte) (record, error) {
	if len(b) == 0 || b[0] != recordVersion {
		return record{}, errRecord
	}
	r := &wireReader{b: b[1:]}
	out := record{
		Written: r.time(), Learned: readLearned(r), Hosts: readAll(r, readHost), Accounts: readAll(r, readAccount),
		Paths: readAll(r, readPath),
	}
	if r.bad || len(r.b) > 0 {
		return record{}, errRecord
	}
	return out, nil
}

func appendLearned(b []byte, l *learned) []byte {
	for _, n := range []int{l.Recipients, l.Transactions, l.Refusals, l.Proven} {
		b = appendInt(b, n)
	}
	return appendTime(appendDuration(appendDuration(b, l.Idle), l.Age), l.At)
}

func readLearned(r *wireReader) learned {
	l := learned{Recipients: r.count(), Transactions: r.count(), Refusals: r.count(), Proven: r.count()}
	l.Idle, l.Age = max(0, r.duration()), max(0, r.duration())
	l.At = r.time()
	return l
}

// count reads a number that is not negative.
func (r *wireReader) count() int { return max(0, r.int()) }

func appendHost(b []byte, h *hostNote) []byte {
	b = appendString(b, h.Name)
	for _, t := range h.Until {
		b = appendTime(b, t)
	}
	return b
}

func readHost(r *wireReader) hostNote {
	h := hostNote{Name: r.string()}
	for d := range h.Until {
		h.Until[d] = r.time()
	}
	return h
}

func appendAccount(b []byte, a *accountNote) []byte {
	b = appendString(b, a.Prefix.String())
	b = appendAll(appendAll(b, a.Dead, appendMinute), a.Controls, appendMinute)
	b = appendInt(appendInt(b, a.Leased.targets), a.Leased.controls)
	return appendDuration(appendInt(b, a.Allowed), a.Raised)
}

func readAccount(r *wireReader) accountNote {
	prefix, err := netip.ParsePrefix(r.string())
	if err != nil { // The zero prefix is written as one that can't be parsed.
		prefix = netip.Prefix{}
	}
	a := accountNote{Prefix: prefix, Dead: readAll(r, readMinute), Controls: readAll(r, readMinute)}
	a.Leased = hold{r.count(), r.count()}
	a.Allowed, a.Raised = r.count(), r.duration()
	return a
}

func appendMinute(b []byte, m *budget.Minute) []byte { return appendInt(appendInt(b, m.Ago), m.Events) }

func readMinute(r *wireReader) budget.Minute { return budget.Minute{Ago: r.count(), Events: r.count()} }

func appendEvent(b []byte, e *budget.Event) []byte { return appendBools(appendInt(b, e.Ago), e.Bad) }

func readEvent(r *wireReader) budget.Event {
	e := budget.Event{Ago: r.count()}
	r.bools(&e.Bad)
	return e
}

func appendPath(b []byte, p *pathNote) []byte {
	b = appendDuration(appendString(b, p.Source), p.Debt)
	b = appendFloat(appendFloat(b, p.LearnedRate), p.Window)
	b = appendAll(appendAll(b, p.Ratio, appendEvent), p.Openings, appendMinute)
	b = appendDuration(appendDuration(b, p.NextDial), p.LastProbe)
	k := &p.Breaker
	b = appendBools(b, p.Welcome, p.PutOff, k.Opened, k.Tried, p.Refusal != nil)
	b = appendDuration(b, k.Until)
	b = appendInt(appendInt(appendInt(b, k.Opens), k.Fails), k.Clean)
	if p.Refusal != nil {
		b = appendRefusal(b, p.Refusal)
	}
	return b
}

func readPath(r *wireReader) pathNote {
	p := pathNote{Source: r.string(), Debt: max(0, r.duration()), LearnedRate: r.float(), Window: r.float()}
	p.Ratio, p.Openings = readAll(r, readEvent), readAll(r, readMinute)
	p.NextDial, p.LastProbe = r.duration(), r.duration()
	refused := false
	k := &p.Breaker
	r.bools(&p.Welcome, &p.PutOff, &k.Opened, &k.Tried, &refused)
	k.Until, k.Opens, k.Fails, k.Clean = r.duration(), r.count(), r.count(), r.count()
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
		b = appendString(b, s)
	}
	ip, _ := o.IP.MarshalText() // Cannot fail.
	b = appendString(b, string(ip))
	e := o.Reply.Enhanced
	b = appendInt(appendInt(appendInt(appendInt(b, o.Reply.Code), int(e.Class)), int(e.Subject)), int(e.Detail))
	return appendTime(appendTime(b, o.At), o.RetryAt)
}

func readRefusal(r *wireReader) *Outcome {
	o := &Outcome{Stage: smtp.Stage(r.string()), Remembered: true}
	text := r.string()
	o.Meaning = reply.Meaning{
		Class: reply.Class(r.string()), Scope: reply.Scope(r.string()), Detail: reply.Detail(r.string()), Rule: r.string(),
	}
	o.Failure, o.Detail, o.Host, o.TLS = Failure(r.string()), r.string(), r.string(), r.string()
	_ = o.IP.UnmarshalText([]byte(r.string())) // What is no address is none.
	o.Reply.Code = r.count()
	o.Reply.Enhanced = smtp.EnhancedCode{Class: uint16(r.count()), Subject: uint16(r.count()), Detail: uint16(r.count())}
	if text != "" {
		o.Reply.Lines = []string{text}
	}
	o.At, o.RetryAt = r.time(), r.time()
	o.Reply.At = o.At
	return o
}
