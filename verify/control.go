package verify

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"strconv"

	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/verify/judge"
	"github.com/verimails/verimaild/verify/verdict"
)

// Made-up recipients of a domain that stay the same, so that a greylist knows them again.
const (
	firstControl  = "0"
	secondControl = "1"
)

// controlPath is a made-up recipient of a domain: derived from the domain and a secret of this host, so that a
// greylist sees the same triplet again and nobody else can guess it; and speakable, so that no filter takes it for
// random. Seven of 100 syllables and two digits hold 53 bits.
func controlPath(secret []byte, domain, which string) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("control " + which + " " + domain))
	seed := mac.Sum(nil)
	const consonants, vowels, syllables = "bcdfghjklmnprstvwxyz", "aeiou", 7
	name := make([]byte, 0, 2*syllables+2)
	x := binary.BigEndian.Uint64(seed)
	for range syllables {
		name = append(name, consonants[x%20], vowels[x/20%5])
		x /= 100
	}
	y := binary.BigEndian.Uint16(seed[8:])
	name = append(name, '0'+byte(y%10), '0'+byte(y/10%10))
	return string(name) + "@" + domain
}

// made is a made-up recipient of the run's domain, for the pool.
func (r *run) made(which string) pool.Recipient {
	return pool.Recipient{Path: controlPath(r.v.secret, r.domain(), which), Control: true}
}

// foundOut reports whether somebody has found out what the domain does with made-up recipients since the run looked.
func (r *run) foundOut() bool {
	f := &r.facts
	if f.AcceptAll != verdict.Undetermined || !f.Target.Accepted() || f.Target.Fallback {
		return false
	}
	f.AcceptAll = r.rememberedAcceptAll()
	return f.AcceptAll != verdict.Undetermined
}

// unheardOf names a made-up recipient that the server cannot know: the domain's own if nobody has asked about one there,
// for then several runs can share it, or else one that is never asked about again.
func (r *run) unheardOf() string {
	f := &r.facts
	if !r.v.remembers || f.Listed || f.Control.Asked || r.settles != nil {
		return r.unheard()
	}
	// Others may have asked since r began, and told memory what came of it.
	if fact, _ := r.v.memory.Again().Domain(r.addr.Domain()); !fact.CheckedAt.IsZero() || !fact.ContradictedAt.IsZero() {
		return r.unheard()
	}
	return firstControl
}

// unheard names a made-up recipient that was never asked about before, nor will be again.
func (r *run) unheard() string {
	return strconv.FormatInt(r.v.now().UnixNano(), 36) + "." + strconv.FormatUint(r.v.unheard.Add(1), 36)
}

// take asks about whoever the judgement wants to hear of next.
func (r *run) take(ctx context.Context, step judge.Step) {
	f := &r.facts
	if (step == judge.AskControl || step == judge.AskFresh) && r.foundOut() {
		return
	}
	switch step {
	case judge.AskControl:
		f.Control = r.extra(ctx, r.made(firstControl))
	case judge.AskSecond:
		f.Second = r.extra(ctx, r.made(secondControl))
	case judge.AskFresh:
		f.Fresh = r.extra(ctx, r.made(r.unheardOf()))
	case judge.AskElsewhere:
		f.Elsewhere = r.elsewhere(ctx)
	case judge.AskPostmaster:
		f.Postmaster = r.extra(ctx, pool.Recipient{Path: "postmaster@" + r.domain(), Control: true})
	}
}

// extra asks about another recipient of the domain, from the source that asked about the target, so that what one source
// was told is compared with what the same is told now.
func (r *run) extra(ctx context.Context, rcpt pool.Recipient) judge.Finding {
	req := r.request(rcpt)
	req.Source = r.target.Source
	out := r.asked(ctx, req)[0]
	r.hear(&out)
	r.ans.Evidence = append(r.ans.Evidence, evidence(&out))
	return r.control(&out)
}

// control takes down what came of a made-up recipient, or postmaster.
func (r *run) control(out *pool.Outcome) judge.Finding {
	r.last = *out
	f := judge.Of(out)
	if f.Refused() {
		f.Words = judge.Words(out.Reply.Code, out.Reply.Enhanced.String(), out.Reply.Text(), out.Recipient.Path)
	}
	if f.Accepted() {
		r.acceptedAt = later(r.acceptedAt, out.At)
	}
	return f
}

// elsewhere asks about a made-up recipient of another domain of the site. That one is nothing to whoever asked about this
// domain, so it leaves no evidence.
func (r *run) elsewhere(ctx context.Context) judge.Finding {
	_, _, other := r.v.paths.look(r.path(), r.domain())
	req := r.request(pool.Recipient{Path: controlPath(r.v.secret, other.domain, r.unheard()), Control: true})
	req.Domain, req.Hosts, req.Source = other.domain, other.hosts, r.target.Source
	out := r.asked(ctx, req)[0]
	if f := judge.Of(&out); f.Refused() {
		r.v.paths.refused(r.path(), other, out.At)
	}
	return judge.Of(&out)
}
