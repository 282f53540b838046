package mailworld_test

import (
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
)

// flight is a transaction of three recipients in one write.
var flight = "hello\n> MAIL FROM:<p@a.test>\n> " + rcpt("ada") + "\n> " + rcpt("x") + "\n> " + rcpt("grace") + "\n> RSET\n"

func TestGlitches(t *testing.T) {
	glitch := func(g mailworld.Glitch) func(*mailworld.Host) {
		return func(h *mailworld.Host) { h.Glitches = []mailworld.Glitch{g} }
	}
	playAll(t, []dialogue{
		{
			"closed in the middle of a flight", glitch(mailworld.Glitch{On: "RCPT", Nth: 2, Do: mailworld.DoClose}),
			flight + "< 250\n< 250\n< EOF\nclose", nil,
		},
		{
			"closed after the n-th reply of all", glitch(mailworld.Glitch{Nth: 3, Do: mailworld.DoClose, First: true}),
			flight + "< 250\n< EOF\nclose", nil,
		},
		{
			"reset", glitch(mailworld.Glitch{On: "RCPT", Nth: 2, Do: mailworld.DoReset, First: true}),
			flight + "< 250\n< 250\n< 550\n< RST\nclose", nil,
		},
		{
			"421 in the middle of a flight", glitch(mailworld.Glitch{On: "RCPT", Nth: 2, Do: mailworld.DoSay, Text: "421 4.7.0 {host} enough\r\n"}),
			flight + "< 250\n< 250\n< 421 mx.example.test enough\n< EOF\nclose", nil,
		},
		{
			"an extra reply", glitch(mailworld.Glitch{On: "RCPT", Nth: 1, Do: mailworld.DoExtra, Text: "250 2.1.5 and again\r\n"}),
			flight + "< 250\n< 250\n< 250 again\n< 550\n< 250\n< 250\nclose", nil,
		},
		{
			"a reply too few", glitch(mailworld.Glitch{On: "RCPT", Nth: 2, Do: mailworld.DoDrop}),
			flight + "< 250\n< 250\n< 250\n< 250\n" + quit, nil,
		},
		{
			"421 in the middle, and talking on", glitch(mailworld.Glitch{On: "RCPT", Nth: 1, Do: mailworld.DoSay, Text: "421 4.7.0 enough\r\n"}),
			"begin\n> " + rcpt("ada") + "\n< 421\n> RSET\n< EOF\nclose",
			[]string{"after 421"},
		},
		{
			"no reply any more", glitch(mailworld.Glitch{On: "RCPT", Nth: 2, Do: mailworld.DoHang}),
			flight + "< 250\n< 250\n~ 10m\nclose", nil,
		},
		{
			"codes that differ", glitch(mailworld.Glitch{On: "RCPT", Do: mailworld.DoRaw, Text: "250-yes\r\n550 no\r\n"}),
			"begin\n> " + rcpt("ada") + "\n| 250-yes\\r\\n550 no\\r\\n\nclose", nil,
		},
		{
			"bytes beyond text", glitch(mailworld.Glitch{On: "RCPT", Do: mailworld.DoRaw, Text: "550 \x00\xff\r no\n"}),
			"begin\n> " + rcpt("ada") + "\n| 550 \\x00\\xff\\r no\\n\nclose", nil,
		},
		{
			"a long line", glitch(mailworld.Glitch{On: "RCPT", Do: mailworld.DoRaw, Text: "250 " + strings.Repeat("x", 5000) + "\r\n"}),
			"begin\n> " + rcpt("ada") + "\n< 250 xxx\nclose", nil,
		},
		{
			"ten thousand lines", glitch(mailworld.Glitch{On: "RCPT", Do: mailworld.DoRaw, Text: strings.Repeat("250-x\r\n", 10000) + "250 y\r\n"}),
			"begin\n> " + rcpt("ada") + "\n< 250 y\nclose", nil,
		},
		{
			"a line without end", glitch(mailworld.Glitch{On: "RCPT", Do: mailworld.DoEndless}),
			"begin\n> " + rcpt("ada") + "\n| 250-" + strings.Repeat("x", 100000) + "\n~ 1s\nclose", nil,
		},
		{
			"a flood", glitch(mailworld.Glitch{On: "RCPT", Do: mailworld.DoFlood, Text: "250 {rcpt}\r\n"}),
			"begin\n> " + rcpt("ada") + "\n| " + strings.Repeat(`250 ada@example.test\r\n`, 10000) + "\n~ 1s\nclose", nil,
		},
		{
			"only one direction is closed", glitch(mailworld.Glitch{On: "RCPT", Nth: 2, Do: mailworld.DoHalfClose}),
			flight + "< 250\n< 250\n< EOF\n> " + rcpt("ada") + "\n~ 10m\n> RSET\nclose", nil,
		},
		{
			"replies the wrong way round", glitch(mailworld.Glitch{On: "RCPT", Nth: 2, Do: mailworld.DoSwap}),
			flight + "< 250\n< 250 2.1.5\n< 250 2.1.5\n< 550\n< 250 2.0.0\n" + quit, nil,
		},
		{
			"no other reply in the flight to be said first", glitch(mailworld.Glitch{On: "RCPT", Nth: 1, Do: mailworld.DoSwap}),
			"begin\n> " + rcpt("x") + "\n< 550\n" + quit, nil,
		},
		{
			"a spoilt greeting", glitch(mailworld.Glitch{On: "BANNER", Do: mailworld.DoRaw, Text: "hello there\r\n"}),
			"| hello there\\r\\n\nclose", nil,
		},
	})
}

func TestWire(t *testing.T) {
	playAll(t, []dialogue{
		{
			"byte by byte", func(h *mailworld.Host) { h.Wire = mailworld.Wire{Segment: 1, Gap: time.Second} },
			"| 2\n@ 0s\n| 2\n@ 1s\n| 0\n@ 2s\n|  mx.example.test ESMTP Postfix\\r\\n\n" + "> QUIT\n< 221\nclose", nil,
		},
		{"bare line feeds", func(h *mailworld.Host) { h.Wire.LineEnd = "\n" }, "< 220\n> EHLO a.test\n| 250-mx.example.test\\n250-PIPELINING\\n\n< 250\n" + quit, nil},
		{
			"glued", func(h *mailworld.Host) { h.Wire.Hold = time.Second },
			"< 220\n@ 1s\n> EHLO a.test\n< 250\n@ 2s\n> MAIL FROM:<p@a.test>\n> " + rcpt("ada") + "\n< 250\n< 250\n@ 3s\n" + quit, nil,
		},
	})
}

func TestPipelining(t *testing.T) {
	kind := func(k mailworld.Pipelining) func(*mailworld.Host) {
		return func(h *mailworld.Host) { h.Pipelining = k }
	}
	two := "begin\n> " + rcpt("ada") + "\n> " + rcpt("grace") + "\n"
	slow := "begin\n> " + rcpt("ada") + "\n< 250\n> " + rcpt("grace") + "\n< 250\n" + quit
	playAll(t, []dialogue{
		{"on", nil, two + "< 250\n< 250\n" + quit, nil},
		{"two writes of one flight", nil, "begin\n>> RCPT TO:<ada@example.test>\\r\\n\n>> RCPT TO:<grace@example.test>\\r\\n\n< 250\n< 250\n" + quit, nil},
		{"off", kind(mailworld.PipeliningOff), two + "< 250\n< 250\n" + quit, []string{"without PIPELINING"}},
		{"off, in step", kind(mailworld.PipeliningOff), slow, nil},
		{"closes", kind(mailworld.PipeliningCloses), two + "< 250\n< 500\n< EOF\nclose", []string{"without PIPELINING"}},
		{"closes, in step", kind(mailworld.PipeliningCloses), slow, nil},
		{"swallows", kind(mailworld.PipeliningSwallows), two + "< 250\n~ 1m\n> RSET\n< 250\n" + quit, nil},
		{"swallows, in step", kind(mailworld.PipeliningSwallows), slow, nil},
		{"confused", kind(mailworld.PipeliningConfused), two + "< 250\n< 500\n" + quit, nil},
		{"confused, in step", kind(mailworld.PipeliningConfused), slow, nil},
	})
}

func TestHosts(t *testing.T) {
	playAll(t, []dialogue{
		{"mute", func(h *mailworld.Host) { h.Network = mailworld.Mute }, "~ 10m\nclose", nil},
		{"a script", func(h *mailworld.Host) {
			h.Script = []mailworld.Step{
				mailworld.Send("220 {host}\r\n"), mailworld.Expect("EHLO"), mailworld.Pause(time.Second),
				mailworld.Send("250 ok\r\n"), mailworld.Read(2), mailworld.Send("250 a\r\n250 b\r\n"), mailworld.HangUp(),
			}
		}, "< 220 mx.example.test\n> ehlo a.test\n< 250\n@ 1s\n> MAIL FROM:<p@a.test>\n> " + rcpt("ada") + "\n< 250 a\n< 250 b\n< EOF\nclose", nil},
		{"a script that is disappointed", func(h *mailworld.Host) {
			h.Script = []mailworld.Step{mailworld.Send("220 x\r\n"), mailworld.Expect("HELO")}
		}, "< 220\n> EHLO a.test\n< EOF\nclose", []string{`want "HELO"`}},
		{"a script that sees DATA", func(h *mailworld.Host) {
			h.Script = []mailworld.Step{mailworld.Send("220 x\r\n"), mailworld.Read(1), mailworld.Silence()}
		}, "< 220\n> DATA\n~ 1m\nclose", []string{"DATA is not"}},
		{"a script with an abort", func(h *mailworld.Host) { h.Script = []mailworld.Step{mailworld.Abort()} }, "< RST\nclose", nil},
		{"a script, then a server", func(h *mailworld.Host) {
			h.Script = []mailworld.Step{mailworld.Send("220 first\r\n"), mailworld.Serve()}
		}, "< 220 first\n> EHLO a.test\n< 250\n> MAIL FROM:<p@a.test>\n< 250\n" + quit, nil},
		{"writes before it reads", func(h *mailworld.Host) {
			h.Window = 1000
			h.Script = []mailworld.Step{mailworld.Send("220-" + strings.Repeat("x", 100) + "\r\n"), mailworld.Send(strings.Repeat("220-y\r\n", 40000) + "220 z\r\n"), mailworld.Read(1)}
		}, "< 220\n> EHLO a.test\n< EOF\nclose", nil},
	})
}

func TestInterrupt(t *testing.T) {
	tests := []struct {
		name   string
		reply  mailworld.Reply
		script string
	}{
		{"421", mailworld.Say(421, "4.3.2 shutting down"), "< 421 shutting down\n< EOF\nclose"},
		{"the end", mailworld.Reply{Then: mailworld.Close}, "< EOF\nclose"},
		{"a reset", mailworld.Reply{Then: mailworld.Reset}, "< RST\nclose"},
		{"a reply nobody asked for", mailworld.Say(250, "2.0.0 by the way"), "< 250 by the way\n" + quit},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			inMemory(t, spec(), func(t *testing.T, w *mailworld.World) {
				p := dial(t, w, 0)
				p.begin()
				if got := w.Open(host); got != 1 {
					t.Errorf("Open() = %d, want 1", got)
				}
				if got := w.Interrupt(host, tt.reply); got != 1 {
					t.Errorf("Interrupt() = %d, want 1", got)
				}
				p.play(tt.script)
				w.Check(t)
			})
		})
	}
}
