package mailworld

import (
	"net/netip"
	"slices"
	"strings"
	"time"
)

// greet says the greeting, with a multi-line one's first line ahead of it; false means that the session is over.
func (s *session) greet() bool {
	s.banner = edge{state: queued}
	if r := s.unwelcome(); !r.isZero() {
		return s.say("BANNER", r)
	}
	g := &s.b.Greeting
	start := time.Now()
	if !g.Teaser.isZero() {
		if !s.sleep(g.Teaser.Delay) {
			return false
		}
		s.out = append(s.out, "220-"+expand(g.Teaser.Text, s.placeholder)+s.b.lineEnd()...)
	}
	r := g.Reply.or(s.b.texts.greeting)
	if wait := r.Delay - time.Since(start); wait > 0 && !s.sleep(wait) {
		return false
	}
	r.Delay = 0
	if s.tr.pending() > 0 {
		s.talkedEarly()
		r = g.EarlyTalker.or(r)
	}
	return s.say("BANNER", r)
}

// unwelcome is the reply that greets a client that is blocked or one too many; the zero Reply if it is neither.
func (s *session) unwelcome() Reply {
	ip, now := s.source.Addr(), s.began
	if r := s.blocked(AtConnect); !r.isZero() {
		return r
	}
	if h := &s.b.Harvest; !h.Connect.isZero() && s.h.clients.beyond(ip, h, now) {
		return h.Connect
	}
	return s.crowd
}

// blocked is the refusal of the block that matches the client at this stage; the zero Reply if none does.
func (s *session) blocked(at Stage) Reply {
	for i := range s.b.Blocks {
		if b := &s.b.Blocks[i]; b.At == at && b.matches(s.w, s.source.Addr()) {
			return b.Reply.or(Say(554, "5.7.1 Service unavailable; Client host [{ip}] blocked using bl.example.test"))
		}
	}
	return Reply{}
}

// matches reports whether the block holds for a client.
func (b *Block) matches(w *World, ip netip.Addr) bool {
	if len(b.Sources) == 0 && len(b.Prefixes) == 0 {
		return true
	}
	for _, n := range b.Sources {
		if w.SourceAddr(n) == ip {
			return true
		}
	}
	return slices.ContainsFunc(b.Prefixes, func(p netip.Prefix) bool { return p.Contains(ip) })
}

// ehlo answers EHLO.
func (s *session) ehlo(c command) bool {
	s.helo = c.arg
	s.rec.greeted(c.arg)
	if s.esmtp && s.b.EHLO.Once {
		return s.say(c.verb, Say(503, "5.5.1 Invalid command: Already identified"))
	}
	r := s.blocked(AtEHLO).or(s.b.EHLO.Reply).or(s.b.replyTo(c.verb, Reply{}))
	if !r.isZero() {
		return s.say(c.verb, r)
	}
	s.hello, s.esmtp, s.tx = true, true, transaction{}
	r = s.b.texts.hello
	if k := s.b.keywords(s.tls); len(k) > 0 {
		r.Text += "\n" + strings.Join(k, "\n")
	}
	return s.say(c.verb, r)
}

// heloCommand answers HELO.
func (s *session) heloCommand(c command) bool {
	s.helo = c.arg
	s.rec.greeted(c.arg)
	r := s.blocked(AtEHLO).or(s.b.EHLO.HELO).or(s.b.replyTo(c.verb, Reply{}))
	if !r.isZero() {
		return s.say(c.verb, r)
	}
	s.hello, s.tx = true, transaction{}
	return s.say(c.verb, s.b.texts.hello)
}
