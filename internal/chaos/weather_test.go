package chaos

import (
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
)

// A fault is something that goes wrong in one session. It is none of the kind that nobody could see through: a server
// that, in good form and order, says that the living are dead.
type fault struct {
	name string
	mild bool // May happen at a calm host too.
	do   func(r *rand.Rand, h *mailworld.Host)
}

// Shares of the sessions, of ten, in which something goes wrong.
const (
	mildShare = 4
	wildShare = 6
)

// fault is the name of what goes wrong in the n-th session at host i.
func (p *plan) fault(i, n int) string {
	f, _ := p.draught(i, n)
	return f.name
}

// draught draws what goes wrong in the n-th session at host i, and the chance that it is to be done with.
func (p *plan) draught(i, n int) (fault, *rand.Rand) {
	h := &p.hosts[i]
	r := p.rand("session at "+h.name, n)
	share := mildShare
	if h.climate == wild {
		share = wildShare
	}
	if h.climate == liar || h.climate == alike || r.IntN(10) >= share {
		return fault{name: "none", do: func(*rand.Rand, *mailworld.Host) {}}, r
	}
	for list := catalogue(); ; {
		if f := list[r.IntN(len(list))]; f.mild || h.climate == wild {
			return f, r
		}
	}
}

// catalogue is all that goes wrong in sessions.
var catalogue = sync.OnceValue(func() []fault {
	return slices.Concat(delays(), ends(), nonsense(), refusals(), brokenTLS())
})

// verbs are where in a session something may happen.
func verbs() []string { return []string{"BANNER", "EHLO", "MAIL", "RCPT", "RSET"} }

func anyVerb(r *rand.Rand) string { return verbs()[r.IntN(len(verbs()))] }

// glitch is a fault at one reply, drawn.
func glitch(name string, mild bool, g mailworld.Glitch) fault {
	return fault{name, mild, func(r *rand.Rand, h *mailworld.Host) {
		at := g
		if at.On == "" {
			at.On = anyVerb(r)
		}
		at.Nth = 1 + r.IntN(2)
		at.First = g.Do != mailworld.DoDrop && r.IntN(4) == 0
		h.Glitches = []mailworld.Glitch{at}
	}}
}

func someTime(r *rand.Rand, most time.Duration) time.Duration {
	return time.Duration(r.Int64N(int64(most)))
}

func delays() []fault {
	return []fault{
		{"slow-greeting", true, func(r *rand.Rand, h *mailworld.Host) {
			h.Greeting.Teaser = mailworld.Say(220, "{host} one moment").After(someTime(r, 300*time.Millisecond))
			h.Greeting.Reply = mailworld.Say(220, "{host} ESMTP").After(someTime(r, 800*time.Millisecond))
		}},
		{"slow-replies", true, func(r *rand.Rand, h *mailworld.Host) {
			h.Slow = map[string]time.Duration{anyVerb(r): someTime(r, 500*time.Millisecond), "*": someTime(r, 50*time.Millisecond)}
		}},
		{"tarpit", true, func(r *rand.Rand, h *mailworld.Host) {
			h.Limits.SoftErrors, h.Limits.ErrorDelay, h.Limits.ErrorGrowth = 1, someTime(r, 300*time.Millisecond), 200*time.Millisecond
		}},
		{"octets", true, func(r *rand.Rand, h *mailworld.Host) {
			h.Wire = mailworld.Wire{Segment: 1 + r.IntN(7), Gap: someTime(r, 2*time.Millisecond)}
		}},
		{"held-back", true, func(r *rand.Rand, h *mailworld.Host) { h.Wire.Hold = someTime(r, 200*time.Millisecond) }},
	}
}

func ends() []fault {
	network := func(name string, n mailworld.Network) fault {
		return fault{name, true, func(_ *rand.Rand, h *mailworld.Host) { h.Network = n }}
	}
	return []fault{
		network("mute", mailworld.Mute),
		network("closed-at-once", mailworld.CloseOnAccept),
		network("reset-at-once", mailworld.ResetOnAccept),
		glitch("close", true, mailworld.Glitch{Do: mailworld.DoClose}),
		glitch("reset", true, mailworld.Glitch{Do: mailworld.DoReset}),
		glitch("half-close", true, mailworld.Glitch{Do: mailworld.DoHalfClose}),
		glitch("hang", true, mailworld.Glitch{Do: mailworld.DoHang}),
		glitch("goodbye", true, mailworld.Glitch{Do: mailworld.DoSay, Text: "421 4.3.2 {host} going down, {rcpt} or not\r\n"}),
		{"few-commands", true, func(r *rand.Rand, h *mailworld.Host) { h.Limits.Commands.N = 2 + r.IntN(6) }},
		{"few-errors", true, func(r *rand.Rand, h *mailworld.Host) { h.Limits.HardErrors.N = 1 + r.IntN(2) }},
		{"few-refusals", true, func(r *rand.Rand, h *mailworld.Host) { h.Limits.FailedRecipients.N = 1 + r.IntN(2) }},
		{"one-recipient", true, func(_ *rand.Rand, h *mailworld.Host) { h.Limits.Recipients.N = 1 }},
		{"one-transaction", true, func(_ *rand.Rand, h *mailworld.Host) { h.Limits.Transactions.N = 1 }},
		{"soon-idle", true, func(r *rand.Rand, h *mailworld.Host) {
			h.Limits.Idle, h.Limits.Silent = 20*time.Millisecond+someTime(r, 200*time.Millisecond), r.IntN(2) == 0
		}},
	}
}

// nonsense is what no server may say. A reply too many is one behind the reply it repeats, in the same segment, so that it
// can be known for what it is; nobody could tell one that comes later from the next command's own.
func nonsense() []fault {
	raw := func(name, text string) fault {
		return glitch(name, false, mailworld.Glitch{Do: mailworld.DoRaw, Text: text})
	}
	return []fault{
		raw("garbage", "\x00\xff\x16\x03\x01 no \r\r\n"),
		raw("no-code", "hello there\r\n"),
		raw("two-codes", "250-2.1.5 {rcpt} is fine\r\n550 5.1.1 {rcpt} is unknown\r\n"),
		raw("other-digits", "199 well\r\n"),
		raw("long-line", "250 "+strings.Repeat("x", 20000)+"\r\n"),
		raw("many-lines", strings.Repeat("250-2.1.5 ok\r\n", 20000)+"250 2.1.5 ok\r\n"),
		glitch("endless", false, mailworld.Glitch{Do: mailworld.DoEndless}),
		glitch("flood", false, mailworld.Glitch{Do: mailworld.DoFlood, Text: "250 2.1.5 {rcpt} ok\r\n550 5.1.1 {rcpt} unknown\r\n"}),
		glitch("doubled-yes", false, mailworld.Glitch{Do: mailworld.DoExtra, Text: "250 2.1.5 ok\r\n"}),
		glitch("doubled-no", false, mailworld.Glitch{Do: mailworld.DoExtra, Text: "550 5.1.1 <{rcpt}>: no such user\r\n"}),
		glitch("left-out", false, mailworld.Glitch{On: "MAIL", Do: mailworld.DoDrop}),
		glitch("swapped", false, mailworld.Glitch{On: "MAIL", Do: mailworld.DoSwap}),
		{"pipelining-lost", false, func(_ *rand.Rand, h *mailworld.Host) { h.Pipelining = mailworld.PipeliningSwallows }},
		{"pipelining-confused", false, func(_ *rand.Rand, h *mailworld.Host) { h.Pipelining = mailworld.PipeliningConfused }},
		{"no-pipelining", true, func(_ *rand.Rand, h *mailworld.Host) { h.Pipelining = mailworld.PipeliningOff }},
	}
}

// refusals are those of a session, in words that would mean a mailbox at another place.
func refusals() []fault {
	block := func(name string, at mailworld.Stage, r mailworld.Reply) fault {
		return fault{name, false, func(_ *rand.Rand, h *mailworld.Host) { h.Blocks = []mailworld.Block{{At: at, Reply: r}} }}
	}
	sender := func(name string, refusal, rcpt mailworld.Reply) fault {
		return fault{name, false, func(_ *rand.Rand, h *mailworld.Host) {
			h.Senders, h.NoSender = map[string]mailworld.Reply{"*": refusal}, rcpt
		}}
	}
	return []fault{
		block("busy", mailworld.AtConnect, mailworld.Say(421, "4.3.2 {host} too busy, no such user has time")),
		block("ehlo-later", mailworld.AtEHLO, mailworld.Say(450, "4.3.2 later")),
		sender("mail-later", mailworld.Say(451, "4.3.0 user unknown to me, try later"), mailworld.Reply{}),
		sender("mail-refused-rcpt-taken", mailworld.Say(550, "5.1.1 <{sender}>: user unknown"), mailworld.Say(250, "2.1.5 ok")),
		sender("mail-refused-rcpt-unknown", mailworld.Say(550, "5.1.1 <{sender}>: user unknown"), mailworld.Say(550, "5.1.1 <{rcpt}>: no such user")),
		{"rcpt-later", false, func(_ *rand.Rand, h *mailworld.Host) {
			h.Replies = map[string]mailworld.Reply{"RCPT": mailworld.Say(451, "4.1.1 <{rcpt}>: user unknown just now")}
		}},
		{"greylist", false, func(_ *rand.Rand, h *mailworld.Host) { h.Greylist = time.Hour }},
		{"rset-refused", false, func(_ *rand.Rand, h *mailworld.Host) {
			h.Replies = map[string]mailworld.Reply{"RSET": mailworld.Say(550, "5.1.1 no such user")}
		}},
	}
}

func brokenTLS() []fault {
	mode := func(name string, m mailworld.TLSMode) fault {
		return fault{name, false, func(_ *rand.Rand, h *mailworld.Host) {
			h.TLS = mailworld.TLS{Mode: m, Inject: "250-mx.test\r\n250 PIPELINING\r\n250 2.1.0 ok\r\n250 2.1.5 ok\r\n"}
		}}
	}
	return []fault{
		mode("tls-put-off", mailworld.TLSTempFail), mode("tls-refused", mailworld.TLSRefused), mode("tls-garbage", mailworld.TLSGarbage),
		mode("tls-aborted", mailworld.TLSAbort), mode("tls-hangs", mailworld.TLSHang), mode("tls-injected", mailworld.TLSInject),
		mode("tls-old", mailworld.TLSOld), mode("tls-expired", mailworld.TLSExpired),
	}
}

// dnsFault is what goes wrong with the n-th query for a name.
func (p *plan) dnsFault(name string, n int) mailworld.Fault {
	r := p.rand("query for "+name, n)
	if r.IntN(4) > 0 {
		return mailworld.Answer
	}
	faults := []mailworld.Fault{
		mailworld.ServFail, mailworld.Refused, mailworld.NoAnswer, mailworld.NoAnswerUDP, mailworld.Truncate, mailworld.TruncateMute,
		mailworld.FormatError, mailworld.WrongID, mailworld.Garbage, mailworld.Lame,
	}
	return faults[r.IntN(len(faults))]
}
