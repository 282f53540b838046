package pool

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"
	"go.uber.org/zap"
	"golang.org/x/net/publicsuffix"

	"github.com/verimails/verimaild/pool/budget"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
)

// A senderState is what receivers think of our reverse-path. When some that have nothing to do with each other find it at
// fault, it is at fault everywhere: nothing is asked then until it is another one, or until a test goes well. Guarded by
// Pool.mu. The zero senderState knows nothing.
type senderState struct {
	of        string       // The reverse-path that all of it is about.
	judged    budget.Ratio // Sites that were asked with it, by whether they refused it; each once an hour.
	objectors []objector   // Those that did, the oldest first.

	refusal *Outcome      // What nothing is asked for; nil while all is well.
	until   time.Duration // A test is due from then on.
	tester  *path         // Where the test is made; nil if nowhere.
	testing time.Duration // Since when.
	dirty   bool          // There is something to write down.
}

// An objector is a receiver that refused our reverse-path.
type objector struct {
	owner string
	ip    netip.Addr
	at    time.Duration
}

const (
	senderMemory   = time.Hour // A refusal, or an acceptance, older than this counts for nothing.
	senderRest     = time.Hour
	senderPatience = 2 * time.Minute // After which the test is made elsewhere.
	mostObjectors  = 50

	// senderShare is which share of the last fifty sites has to refuse the reverse-path. In a list of thousands of domains some
	// odd ones always do, and nothing follows from them for the others.
	senderShare = 0.1
)

// blamesSender reports whether o finds fault with the reverse-path itself, whoever asks, and whomever about. Some servers
// hold that back until RCPT, where only a code says that it is not the recipient's own taste.
func blamesSender(o *Outcome) bool {
	m, e := &o.Meaning, o.Reply.Enhanced
	if m.Class != reply.SenderRefused || m.Scope != reply.ScopeSender || m.Detail != reply.DetailReversePath {
		return false
	}
	address := e.Subject == 1 && (e.Detail == 7 || e.Detail == 8) // RFC 3463 §3.2; 4.1.8 while its domain has no address.
	switch o.Stage {
	case smtp.StageMAIL:
		return o.Reply.Code >= 500 || address
	case smtp.StageRCPT:
		return address && e.Detail == 8 || o.Reply.Code >= 500 && e.Subject == 7 && spfCode(e.Detail)
	}
	return false
}

// spfCode reports whether 5.7.n says that the domain of the reverse-path does not vouch for us, or takes no mail itself: RFC
// 7372 §3.2, RFC 7505 §4.2.
func spfCode(n uint16) bool { return n == 23 || n == 26 || n == 27 }

// took notes that a site has taken the reverse-path.
func (v *senderState) took(s *site, now time.Duration) {
	if s.senderTaken == 0 || now-s.senderTaken >= senderMemory {
		s.senderTaken = now
		v.judged.Add(now, false)
	}
}

// owner is who answers for the mail hosts of s: their provider, or whoever has the domain of the one that spoke.
func (s *site) owner(host string) string {
	if id := s.providerID(); id != "" {
		return "provider " + id
	}
	domain, err := publicsuffix.EffectiveTLDPlusOne(host)
	if err != nil {
		return host
	}
	return domain
}

// object notes one more receiver that refuses the reverse-path, and reports whether it is at fault everywhere.
func (v *senderState) object(by objector) bool {
	v.objectors = slices.DeleteFunc(v.objectors, func(o objector) bool { return by.at-o.at > senderMemory })
	known := slices.IndexFunc(v.objectors, func(o objector) bool { return o.owner == by.owner })
	if known >= 0 {
		v.objectors = slices.Delete(v.objectors, known, known+1)
	} else {
		v.judged.Add(by.at, true)
	}
	v.objectors = append(v.objectors[max(0, len(v.objectors)-mostObjectors+1):], by)
	share, _ := v.judged.Share(by.at)
	return share >= senderShare && slices.ContainsFunc(v.objectors, by.unrelated)
}

// unrelated reports whether two receivers do not belong together by anything that shows.
func (o objector) unrelated(other objector) bool { return o.owner != other.owner && o.ip != other.ip }

// senderRefused notes that the reverse-path was refused on pa. If it is at fault everywhere, all who wait are told.
func (p *Pool) senderRefused(pa *path, now time.Duration, o *Outcome) {
	v := &p.sender
	agreed := v.object(objector{owner: pa.site.owner(o.Host), ip: o.IP, at: now})
	if v.refusal != nil && now < v.until || v.refusal == nil && !agreed {
		return
	}
	kept := o.kept()
	kept.Source, kept.Provider, kept.Recipient = pa.source.Name, pa.site.providerID(), Recipient{}
	if o.Stage == smtp.StageRCPT { // Whoever is asked about elsewhere is not to read what was said of somebody.
		kept.Reply.Lines = nil
	}
	v.until, v.tester, v.dirty = now+senderRest, nil, true
	kept.RetryAt = p.wall(v.until)
	v.refusal = &kept
	o.RetryAt = kept.RetryAt
	said := kept // Who is told so is noted in it.
	for _, other := range p.paths() {
		other.failAll(&said)
	}
	p.log.Warn("the reverse-path is refused by receivers that have nothing to do with each other: nothing is asked; "+
		"see that the domain of egress.sender has an MX and an SPF record that names every source (verimaild doctor), then reload",
		zap.String("domain", v.domain()), zap.String("mx", o.Host), zap.Int("code", o.Reply.Code),
		zap.String("enhanced", o.Reply.Enhanced.String()), zap.Duration("for", senderRest))
}

// domain is the domain of the reverse-path; an address without one is its own.
func (v *senderState) domain() string { return v.of[strings.LastIndexByte(v.of, '@')+1:] }

// refused is what nothing is asked for on pa; nil if something may be.
func (v *senderState) refused(pa *path, now time.Duration) *Outcome {
	switch {
	case v.refusal == nil:
		return nil
	case now < v.until:
		return v.refusal
	case v.taken(pa, now):
		return v.soon(pa.pool, now)
	}
	return nil
}

// soon is the refusal while its end is being found out.
func (v *senderState) soon(p *Pool, now time.Duration) *Outcome {
	o := *v.refusal
	o.RetryAt = p.wall(now + trickle)
	return &o
}

// taken reports whether the test is made at another path than pa. One that has come to nothing is made anew.
func (v *senderState) taken(pa *path, now time.Duration) bool {
	at := v.tester
	if at == nil || at == pa {
		return false
	}
	if at.waiting() > 0 && (at.testing || now-v.testing < senderPatience) {
		return true
	}
	v.tester = nil
	at.failAll(v.soon(at.pool, now))
	return false
}

// claim makes pa the path that tests the reverse-path, if such a test is due and made nowhere else.
func (v *senderState) claim(pa *path, now time.Duration) {
	if v.refusal != nil && now >= v.until && v.tester != pa && !v.taken(pa, now) {
		v.tester, v.testing = pa, now
	}
}

// state is what the reverse-path lets through on pa.
func (v *senderState) state(pa *path, now time.Duration) budget.State {
	switch {
	case v.refusal == nil:
		return budget.Closed
	case now >= v.until && v.tester == pa:
		return budget.HalfOpen
	}
	return budget.Open
}

// state is what pa lets through: what its own breaker does, as far as the reverse-path allows.
func (pa *path) state(now time.Duration) budget.State {
	own := pa.breaker.State(now)
	if pa.pool.sender.refusal == nil || own == budget.Open {
		return own
	}
	return pa.pool.sender.state(pa, now)
}

// senderPassed notes that a test of the reverse-path went well.
func (p *Pool) senderPassed() {
	v := &p.sender
	if v.refusal == nil {
		return
	}
	p.log.Info("the reverse-path is taken again", zap.String("domain", v.domain()))
	*v = senderState{of: v.of, dirty: true}
	for _, pa := range p.paths() {
		pa.advance()
	}
}

// setSender puts a reverse-path into force. Another one begins anew, and the same one is put to the test at once, also where
// only one site has refused it: the operator may have mended its domain.
func (p *Pool) setSender(path string) {
	v, now := &p.sender, p.now()
	for _, pa := range p.paths() {
		if pa.refusal != nil && pa.refusal.Meaning.Scope == reply.ScopeSender {
			pa.breaker.Until = min(pa.breaker.Until, now)
			pa.site.changed()
		}
	}
	if v.of == path {
		v.until = min(v.until, now)
		return
	}
	*v = senderState{of: path, dirty: v.refusal != nil}
}

// SenderTrouble is why nothing is asked on account of the reverse-path just now; "" if that is not so.
func (p *Pool) SenderTrouble() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.sender.refusal == nil || p.now() >= p.sender.until { // Then the next question shows.
		return ""
	}
	return "mail servers that have nothing to do with each other refuse egress.sender (" + p.sender.domain() +
		"); verimaild egress status has their words, verimaild doctor looks for the cause"
}

// A SenderEgress is how the reverse-path is received.
type SenderEgress struct {
	Domain  string
	State   string    // closed, open (it is refused everywhere, and nothing is asked), testing (that is over, and is being tried).
	Until   time.Time // When it is tried, if it is open.
	Refusal *Refusal  // Why it is not closed.
}

func (p *Pool) senderEgress(now time.Duration) SenderEgress {
	v := &p.sender
	out := SenderEgress{Domain: v.domain(), State: "closed"}
	if v.refusal == nil {
		return out
	}
	out.State = "testing"
	if now < v.until {
		out.State, out.Until = "open", p.wall(v.until)
	}
	out.Refusal = new(refusalOf(v.refusal.Source, v.refusal.Host, v.refusal.Provider, v.refusal))
	return out
}

// identity tells reverse-paths apart on the disk, where it need not stand.
func (v *senderState) identity() uint64 { return xxhash.Sum64String(cmp.Or(v.of, "<>")) }
