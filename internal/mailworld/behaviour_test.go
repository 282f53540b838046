package mailworld_test

import (
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
)

const quit = "> QUIT\n< 221\nclose"

func TestGreeting(t *testing.T) {
	playAll(t, []dialogue{
		{"normal", nil, "< 220 mx.example.test ESMTP\n" + quit, nil},
		{"late", func(h *mailworld.Host) {
			h.Greeting.Reply = mailworld.Say(220, "welcome").After(6 * time.Second)
		}, "< 220 welcome\n@ 6s\n" + quit, nil},
		{"with a teaser", func(h *mailworld.Host) {
			h.Greeting.Teaser = mailworld.Say(220, "wait").After(time.Second)
			h.Greeting.Reply = mailworld.Say(220, "welcome").After(6 * time.Second)
		}, "| 220-wait\\r\\n\n@ 1s\n| 220 welcome\\r\\n\n@ 6s\n" + quit, nil},
		{"multi-line", func(h *mailworld.Host) {
			h.Greeting.Reply = mailworld.Say(220, "one\ntwo\n{host} [{ip}]")
		}, "| 220-one\\r\\n220-two\\r\\n220 mx.example.test [127.77.192.1]\\r\\n\n" + quit, nil},
		{"refusal", func(h *mailworld.Host) {
			h.Greeting.Reply = mailworld.Say(554, "no")
		}, "< 554 no\n" + quit, nil},
		{"busy", func(h *mailworld.Host) {
			h.Greeting.Reply = mailworld.Say(421, "busy")
		}, "< 421 busy\n< EOF\nclose", nil},
		{"early talker", func(h *mailworld.Host) {
			h.Greeting.Teaser = mailworld.Say(220, "wait")
			h.Greeting.Reply = mailworld.Say(220, "welcome").After(6 * time.Second)
			h.Greeting.EarlyTalker = mailworld.Say(554, "5.5.1 Protocol error").AndThen(mailworld.Close)
		}, "| 220-wait\\r\\n\n> EHLO client.egress.test\n< 554 Protocol error\n@ 6s\n< EOF\nclose", []string{"before the banner"}},
		{"early talker, borne", func(h *mailworld.Host) {
			h.Greeting.Reply = mailworld.Say(220, "welcome").After(time.Second)
		}, "> EHLO client.egress.test\n< 220\n< 250\n" + quit, []string{"before the banner"}},
		{"closed at once", func(h *mailworld.Host) { h.Network = mailworld.CloseOnAccept }, "< EOF\nclose", nil},
		{"reset at once", func(h *mailworld.Host) { h.Network = mailworld.ResetOnAccept }, "< RST\nclose", nil},
		{"the client gives up", func(h *mailworld.Host) {
			h.Greeting.Reply = mailworld.Say(220, "welcome").After(time.Minute)
		}, "~ 5s\nclose", nil},
		{"the client leaves", nil, "< 220\nclose", []string{"without QUIT"}},
	})
}

func TestEHLO(t *testing.T) {
	refused := mailworld.Say(502, "5.5.2 Error: command not recognized")
	playAll(t, []dialogue{
		{
			"keywords", func(h *mailworld.Host) { h.SMTPUTF8 = true },
			"< 220\n> EHLO a.test\n| 250-mx.example.test\\r\\n250-PIPELINING\\r\\n250-SIZE 10240000\\r\\n250-ENHANCEDSTATUSCODES\\r\\n" +
				"250-8BITMIME\\r\\n250-DSN\\r\\n250 SMTPUTF8\\r\\n\n" + quit, nil,
		},
		{"keywords as they are", func(h *mailworld.Host) {
			h.EHLO.Keywords = []string{"pipelining", "AUTH=LOGIN", "size\t10"}
		}, "< 220\n> EHLO a.test\n| 250-mx.example.test\\r\\n250-pipelining\\r\\n250-AUTH=LOGIN\\r\\n250 size\\t10\\r\\n\n" + quit, nil},
		{"limits", func(h *mailworld.Host) {
			h.Limits = mailworld.Limits{Advertise: true, OneDomain: true, Recipients: mailworld.Limit{N: 3}, Transactions: mailworld.Limit{N: 8}}
		}, "< 220\n> EHLO a.test\n< 250 LIMITS MAILMAX=8 RCPTMAX=3 RCPTDOMAINMAX=1\n" + quit, nil},
		{
			"HELO only", func(h *mailworld.Host) { h.EHLO.Reply = refused },
			"< 220\n> EHLO a.test\n< 502\n> HELO a.test\n< 250\n> MAIL FROM:<p@a.test>\n< 250\n> " + rcpt("ada") + "\n< 250\n" + quit, nil,
		},
		{
			"HELO only, pipelined", func(h *mailworld.Host) { h.EHLO.Reply = refused },
			"< 220\n> HELO a.test\n< 250\n> MAIL FROM:<p@a.test>\n> " + rcpt("ada") + "\n< 250\n< 250\n" + quit,
			[]string{"without PIPELINING"},
		},
		{
			"refused", func(h *mailworld.Host) { h.EHLO.Reply = mailworld.Say(550, "5.7.1 <{helo}>: Helo command rejected") },
			"< 220\n> EHLO a.test\n< 550 <a.test>: Helo\n> MAIL FROM:<p@a.test>\n< 503\n" + quit, nil,
		},
		{
			"421", func(h *mailworld.Host) { h.EHLO.Reply = mailworld.Say(421, "4.7.0 later") },
			"< 220\n> EHLO a.test\n< 421\n< EOF\nclose", nil,
		},
		{
			"once", func(h *mailworld.Host) { h.EHLO.Once = true },
			"hello\n> EHLO a.test\n< 503\n" + quit, nil,
		},
		{"one label", nil, "< 220\n> EHLO localhost\n< 250\n" + quit, []string{"one label"}},
		{"literal", nil, "< 220\n> EHLO [127.0.0.1]\n< 250\n" + quit, nil},
		{"and more in one flight", nil, "< 220\n> EHLO a.test\n> MAIL FROM:<p@a.test>\n< 250\n< 250\n" + quit, []string{"before the reply to EHLO"}},
	})
}

func TestMAIL(t *testing.T) {
	senders := func(key string, r mailworld.Reply) func(*mailworld.Host) {
		return func(h *mailworld.Host) { h.Senders = map[string]mailworld.Reply{key: r} }
	}
	refused := mailworld.Say(550, "5.1.8 <{sender}>: Domain not found")
	playAll(t, []dialogue{
		{"by address", senders("p@a.test", refused), "hello\n> MAIL FROM:<P@a.test>\n< 550 <P@a.test>\n" + quit, nil},
		{"by domain", senders("@a.test", refused), "hello\n> MAIL FROM:<p@a.test>\n< 550\n> MAIL FROM:<p@b.test>\n< 250\n" + quit, nil},
		{"any", senders("*", refused), "hello\n> MAIL FROM:<p@a.test>\n< 550\n" + quit, nil},
		{
			"refused, the rest of the flight", senders("*", refused),
			"hello\n> MAIL FROM:<p@a.test>\n> " + rcpt("ada") + "\n> RSET\n< 550\n< 503 need MAIL\n< 250\n" + quit, nil,
		},
		{"refused, RCPT answered wrongly", func(h *mailworld.Host) {
			h.Senders = map[string]mailworld.Reply{"*": refused}
			h.NoSender = mailworld.Say(250, "2.1.5 Ok")
		}, "hello\n> MAIL FROM:<p@a.test>\n> " + rcpt("ada") + "\n< 550\n< 250\n" + quit, nil},
		{
			"refused, then RCPT", senders("*", refused),
			"hello\n> MAIL FROM:<p@a.test>\n< 550\n> " + rcpt("ada") + "\n< 503\n" + quit,
			[]string{"RCPT after a refused MAIL"},
		},
		{"null", nil, "hello\n> MAIL FROM:<>\n< 250\n" + quit, []string{"null reverse-path"}},
		{"nested", nil, "begin\n> MAIL FROM:<p@a.test>\n< 503\n" + quit, nil},
		{"parameters", nil, "hello\n> MAIL FROM:<p@a.test> SIZE=100 BODY=8BITMIME\n< 250\n> RSET\n< 250\n> MAIL FROM:<p@a.test> XYZ\n< 555\n" + quit, nil},
		{
			"SMTPUTF8 where offered", func(h *mailworld.Host) { h.SMTPUTF8 = true },
			"hello\n> MAIL FROM:<p@a.test> SMTPUTF8\n< 250\n> RCPT TO:<jürgen@example.test>\n< 550\n" + quit, nil,
		},
		{"SMTPUTF8 where not", nil, "hello\n> MAIL FROM:<p@a.test> SMTPUTF8\n< 555\n" + quit, []string{"not offered"}},
		{"a path that is none", nil, "hello\n> MAIL FROM:p@a.test\n< 501\n> MAIL FROM:<p a@a.test>\n< 501\n" + quit, nil},
		{"without EHLO", nil, "< 220\n> MAIL FROM:<p@a.test>\n< 503\n" + quit, nil},
		{
			"transactions", func(h *mailworld.Host) { h.Limits.Transactions.N = 2 },
			"hello\n" + repeat(2, "> MAIL FROM:<p@a.test>\n> RSET\n< 250\n< 250\n") + "> MAIL FROM:<p@a.test>\n< 421\n< EOF\nclose", nil,
		},
		{"transactions, silently", func(h *mailworld.Host) {
			h.Limits.Transactions = mailworld.Limit{N: 1, Reply: mailworld.Reply{Then: mailworld.Close}}
		}, "begin\n> RSET\n< 250\n> MAIL FROM:<p@a.test>\n< EOF\nclose", nil},
	})
}

func TestRCPT(t *testing.T) {
	playAll(t, []dialogue{
		{"known and unknown", nil, "begin\n> " + rcpt("Ada") + "\n< 250\n> " + rcpt("bob") + "\n< 550 <bob@example.test>: Recipient\n" + quit, nil},
		{"postmaster", nil, "begin\n> " + rcpt("postmaster") + "\n< 250\n" + quit, nil},
		{"relay", nil, "begin\n> RCPT TO:<ada@elsewhere.test>\n< 554 Relay access denied\n" + quit, nil},
		{"two domains", nil, "begin\n> " + rcpt("ada") + "\n< 250\n> RCPT TO:<ada@elsewhere.test>\n< 554\n" + quit, []string{"two domains"}},
		{
			"two domains, refused", func(h *mailworld.Host) { h.Limits.OneDomain = true },
			"begin\n> " + rcpt("ada") + "\n< 250\n> RCPT TO:<ada@elsewhere.test>\n< 451 Multiple destination domains\n" + quit,
			[]string{"two domains"},
		},
		{
			"one recipient", func(h *mailworld.Host) { h.Limits.Recipients.N = 1 },
			"begin\n> " + rcpt("ada") + "\n> " + rcpt("grace") + "\n< 250\n< 452 4.5.3\n> RSET\n< 250\n> MAIL FROM:<p@a.test>\n> " + rcpt("grace") + "\n< 250\n< 250\n" + quit, nil,
		},
		{
			"recipients a session", func(h *mailworld.Host) { h.Limits.SessionRecipients.N = 2 },
			"begin\n" + repeat(2, "> "+rcpt("ada")+"\n< 250") + "> " + rcpt("ada") + "\n< 421\n< EOF\nclose", nil,
		},
		{
			"failed recipients", func(h *mailworld.Host) { h.Limits.FailedRecipients.N = 4 },
			"begin\n" + repeat(4, "> "+rcpt("x%d")+"\n< 550") + "> " + rcpt("x5") + "\n< 421\n< EOF\nclose", nil,
		},
		{"by the host", func(h *mailworld.Host) {
			h.Rcpt = func(path string) mailworld.Reply {
				if strings.HasPrefix(path, "ada@") {
					return mailworld.Say(450, "4.2.1 {local} at {domain} is busy")
				}
				return mailworld.Reply{}
			}
		}, "begin\n> " + rcpt("ada") + "\n< 450 ada at example.test is busy\n> " + rcpt("grace") + "\n< 250\n" + quit, nil},
		{
			"multi-line", func(h *mailworld.Host) { h.Unknown = mailworld.Say(550, "5.1.1 no\n5.1.1 such\n5.1.1 user") },
			"begin\n> " + rcpt("x") + "\n| 550-5.1.1 no\\r\\n550-5.1.1 such\\r\\n550 5.1.1 user\\r\\n\n" + quit, nil,
		},
		{"source route", nil, "begin\n> RCPT TO:<@a.test,@b.test:ada@example.test>\n< 250\n" + quit, nil},
		{"quoted", nil, "begin\n> RCPT TO:<\"a >b\"@example.test>\n< 550\n" + quit, nil},
		{"no path", nil, "begin\n> RCPT TO:ada@example.test\n< 501\n> RCPT TO:<ada>\n< 501\n> RCPT TO:<>\n< 501\n" + quit, nil},
		{"beyond ASCII", nil, "begin\n> RCPT TO:<jürgen@example.test>\n< 553 SMTPUTF8\n" + quit, nil},
		{"every verb its reply", func(h *mailworld.Host) {
			h.Replies = map[string]mailworld.Reply{"RSET": mailworld.Say(503, "no"), "QUIT": mailworld.Say(250, "bye"), "RCPT": mailworld.Say(252, "who knows")}
		}, "begin\n> " + rcpt("x") + "\n< 252\n> RSET\n< 503\n> QUIT\n< 250 bye\n< EOF\nclose", nil},
	})
}

func TestForbidden(t *testing.T) {
	var list []dialogue
	for verb, code := range map[string]string{
		"DATA": "502", "BDAT 3 LAST": "502", "VRFY ada": "252", "EXPN all": "502", "NOOP": "250", "TURN": "502", "AUTH PLAIN": "502", "XYZ": "502",
	} {
		list = append(list, dialogue{verb, nil, "begin\n> " + verb + "\n< " + code + "\n" + quit, []string{"not a prober's command"}})
	}
	playAll(t, append(list,
		dialogue{"DATA, even if the host takes it", func(h *mailworld.Host) {
			h.Replies = map[string]mailworld.Reply{"DATA": mailworld.Say(354, "go on")}
		}, "begin\n> DATA\n< 354\n" + quit, []string{"not a prober's command"}},
		dialogue{"a bare line feed", nil, "< 220\n>> EHLO a.test\\n\n< 250\n" + quit, []string{"CRLF"}},
		dialogue{"a long line", nil, "hello\n> MAIL FROM:<" + strings.Repeat("x", 5000) + ">\n< 500\n" + quit, []string{"4096"}},
		dialogue{"talking on after QUIT", nil, "hello\n> QUIT\n> RSET\n< 221\n< EOF\nclose", []string{"after QUIT"}},
		dialogue{
			"talking on after 421", func(h *mailworld.Host) { h.Limits.Commands.N = 1 },
			"hello\n> MAIL FROM:<p@a.test>\n< 421\n> QUIT\n< EOF\nclose",
			[]string{"after 421"},
		},
		dialogue{
			"a flight that runs into 421", func(h *mailworld.Host) { h.Limits.Commands.N = 2 },
			"hello\n> MAIL FROM:<p@a.test>\n> " + rcpt("ada") + "\n> RSET\n< 250\n< 421\n< EOF\nclose", nil,
		},
		dialogue{"leaving without QUIT", nil, "begin\nclose", []string{"without QUIT"}},
	))
}
