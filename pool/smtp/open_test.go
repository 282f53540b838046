package smtp

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"
)

func TestOpenSlowGreeting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		s, _ := open(t, config(), func(p *peer) {
			time.Sleep(time.Second)
			p.send("220-mx.example.net wait")
			p.quiet(5 * time.Second)
			p.send("220 mx.example.net ESMTP")
			p.ehlo("PIPELINING")
			p.bye()
		})
		if got := time.Since(start); got != 6*time.Second {
			t.Errorf("Open took %v, want 6s", got)
		}
		if got, want := s.Opening()[1], (Line{At: start.Add(6 * time.Second), Text: "220 mx.example.net ESMTP"}); got != want {
			t.Errorf("Opening()[1] = %+v, want %+v", got, want)
		}
		s.Quit()
	})
}

func TestOpenFails(t *testing.T) {
	quit := func(p *peer) { p.expect("QUIT") }
	for _, tt := range []openFailure{
		{
			name:   "no greeting",
			script: func(p *peer) { p.gone() },
			stage:  StageConnect, kind: KindTimeout, took: 60 * time.Second,
		},
		{
			name:   "half a greeting",
			script: func(p *peer) { p.send("220-mx.example.net"); p.gone() },
			stage:  StageConnect, kind: KindTimeout, took: 60 * time.Second,
		},
		{
			name: "greeting drop by drop",
			script: func(p *peer) {
				for range 61 {
					p.raw("2")
					time.Sleep(time.Second)
				}
			},
			stage: StageConnect, kind: KindTimeout, took: 60 * time.Second,
		},
		{
			name:   "greeting timeout of ours",
			cfg:    func(c *Config) { c.Timeouts.Greeting = time.Second },
			script: func(p *peer) { p.gone() },
			stage:  StageConnect, kind: KindTimeout, took: time.Second,
		},
		{
			name:   "closed before the greeting",
			script: func(p *peer) { _ = p.conn.Close() },
			stage:  StageConnect, kind: KindDisconnected,
		},
		{
			name:   "greeting 554",
			script: func(p *peer) { p.send("554 5.7.1 no PTR"); quit(p) },
			stage:  StageConnect, kind: KindReply, reply: "554 5.7.1 no PTR",
		},
		{
			name:   "greeting 421",
			script: func(p *peer) { p.send("421 4.3.2 busy"); p.gone() },
			stage:  StageConnect, kind: KindReply, reply: "421 4.3.2 busy",
		},
		{
			name:   "greeting 250",
			script: func(p *peer) { p.send("250 hello"); quit(p) },
			stage:  StageConnect, kind: KindProtocol, reply: "250 hello",
		},
		{
			name:   "another protocol",
			script: func(p *peer) { p.send("SSH-2.0-OpenSSH_9.2"); p.gone() },
			stage:  StageConnect, kind: KindProtocol,
		},
		{
			name:   "endless greeting",
			script: func(p *peer) { p.raw("220 " + strings.Repeat("x", 60<<10)); p.gone() },
			stage:  StageConnect, kind: KindProtocol,
		},
		{
			name:   "two greetings",
			script: func(p *peer) { p.send("220 a", "220 b"); quit(p) },
			stage:  StageEHLO, kind: KindProtocol, reply: "220 b",
		},
		{
			name:   "421 behind the greeting",
			script: func(p *peer) { p.send("220 a", "421 too many"); p.gone() },
			stage:  StageEHLO, kind: KindReply, reply: "421 too many",
		},
		{
			name:   "EHLO refused",
			script: func(p *peer) { p.send("220 a"); p.next(); p.send("550 5.7.1 bad HELO"); quit(p) },
			stage:  StageEHLO, kind: KindReply, reply: "550 5.7.1 bad HELO",
		},
		{
			name:   "EHLO 421",
			script: func(p *peer) { p.send("220 a"); p.next(); p.send("421 4.7.0 later"); p.gone() },
			stage:  StageEHLO, kind: KindReply, reply: "421 4.7.0 later",
		},
		{
			name:   "EHLO not answered",
			script: func(p *peer) { p.send("220 a"); p.next(); quit(p) },
			stage:  StageEHLO, kind: KindTimeout, took: 30 * time.Second,
		},
		{
			name:   "closed after EHLO",
			script: func(p *peer) { p.send("220 a"); p.next(); _ = p.conn.Close() },
			stage:  StageEHLO, kind: KindDisconnected,
		},
		{
			name:   "421 and closed before EHLO",
			script: func(p *peer) { p.send("220 a"); p.raw("421 4.7.0 too fast\r\n"); _ = p.conn.Close() },
			stage:  StageEHLO, kind: KindReply, reply: "421 4.7.0 too fast",
		},
		{
			name:   "EHLO gets 220",
			script: func(p *peer) { p.send("220 a"); p.next(); p.send("220 b"); quit(p) },
			stage:  StageEHLO, kind: KindProtocol, reply: "220 b",
		},
		{
			name:   "more than EHLO asked for",
			script: func(p *peer) { p.send("220 a"); p.next(); p.send("250 a", "250 b"); quit(p) },
			stage:  StageEHLO, kind: KindProtocol, reply: "250 b",
		},
		{
			name:   "half a reply more than EHLO asked for",
			script: func(p *peer) { p.send("220 a"); p.next(); p.raw("250 a\r\n25"); quit(p) },
			stage:  StageEHLO, kind: KindProtocol, took: time.Second,
		},
		{
			name: "HELO refused too",
			script: func(p *peer) {
				p.send("220 a")
				p.expect("EHLO probe.example.org")
				p.send("502 5.5.1 what")
				p.expect("HELO probe.example.org")
				p.send("501 5.5.4 no")
				quit(p)
			},
			stage: StageEHLO, kind: KindReply, reply: "501 5.5.4 no",
		},
		{
			name:   "TLS required and not offered",
			cfg:    func(c *Config) { c.TLS = TLSRequired },
			script: func(p *peer) { p.hello("PIPELINING"); quit(p) },
			stage:  StageSTARTTLS, kind: KindTLSRequired,
		},
		{
			name: "TLS required and refused",
			cfg:  func(c *Config) { c.TLS = TLSRequired },
			script: func(p *peer) {
				p.hello("STARTTLS")
				p.expect("STARTTLS")
				p.send("454 4.7.0 TLS not available")
				quit(p)
			},
			stage: StageSTARTTLS, kind: KindTLSRequired, reply: "454 4.7.0 TLS not available",
		},
		{
			name:   "STARTTLS 421",
			script: func(p *peer) { p.hello("STARTTLS"); p.next(); p.send("421 4.3.2 down"); p.gone() },
			stage:  StageSTARTTLS, kind: KindReply, reply: "421 4.3.2 down",
		},
		{
			name:   "STARTTLS 250",
			script: func(p *peer) { p.hello("STARTTLS"); p.next(); p.send("250 ok"); quit(p) },
			stage:  StageSTARTTLS, kind: KindProtocol, reply: "250 ok",
		},
		{
			name:   "STARTTLS not answered",
			script: func(p *peer) { p.hello("STARTTLS"); p.next(); p.gone() },
			stage:  StageSTARTTLS, kind: KindTimeout, took: 30 * time.Second,
		},
		{
			name:   "EHLO name of one label",
			cfg:    func(c *Config) { c.LocalName = "localhost" },
			script: func(p *peer) { p.gone() },
			stage:  StageConnect, kind: KindArgument,
		},
		{
			name:   "EHLO name with a second command",
			cfg:    func(c *Config) { c.LocalName = "a.example\r\nMAIL FROM:<a@b.example>" },
			script: func(p *peer) { p.gone() },
			stage:  StageConnect, kind: KindArgument,
		},
	} {
		t.Run(tt.name, func(t *testing.T) { synctest.Test(t, tt.run) })
	}
}

// An openFailure is a way in which a session does not come about.
type openFailure struct {
	name   string
	cfg    func(*Config)
	script func(p *peer)
	stage  Stage
	kind   Kind
	reply  string
	took   time.Duration
}

func (f *openFailure) run(t *testing.T) {
	cfg := config()
	if f.cfg != nil {
		f.cfg(&cfg)
	}
	start := time.Now()
	e := failOpen(t, cfg, f.script)
	if e.Stage != f.stage || e.Kind != f.kind || e.Reply.String() != f.reply {
		t.Errorf("Open() = %v, %v, %q, want %v, %v, %q", e.Stage, e.Kind, e.Reply, f.stage, f.kind, f.reply)
	}
	if e.Sent || e.Doubtful {
		t.Errorf("Sent, Doubtful = %v, %v, want neither before a transaction", e.Sent, e.Doubtful)
	}
	if got := time.Since(start); got != f.took {
		t.Errorf("Open took %v, want %v", got, f.took)
	}
}

func TestOpenFallsBackToHELO(t *testing.T) {
	for _, code := range []string{"500", "502", "504"} {
		t.Run(code, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, conn := open(t, config(), func(p *peer) {
					p.send("220 old.example.net")
					p.expect("EHLO probe.example.org")
					p.send(code + " 5.5.1 Command unrecognized")
					p.expect("HELO probe.example.org")
					p.send("250-old.example.net", "250 PIPELINING") // HELO offers nothing, whatever it says.
					p.expect(mailFrom)
					p.quiet(time.Second)
					p.send("250 ok")
					p.expect("RSET")
					p.send("250 ok")
					p.bye()
				})
				if got := s.Extensions(); got != (Extensions{}) {
					t.Errorf("Extensions() = %+v, want none after HELO", got)
				}
				if err := s.Run(t.Context(), []Transaction{tx()}, nil); err != nil {
					t.Errorf("Run() = %v", err)
				}
				s.Quit()
				if got := conn.written()[1]; got != "HELO probe.example.org\r\n" {
					t.Errorf("second write = %q, want HELO", got)
				}
			})
		})
	}
}

func TestOpenCanceled(t *testing.T) {
	for _, tt := range []struct {
		name   string
		script func(p *peer)
		stage  Stage
	}{
		{"before the greeting", func(p *peer) { p.gone() }, StageConnect},
		{"before the reply to EHLO", func(p *peer) { p.send("220 a"); p.next(); p.gone() }, StageEHLO},
		{"before the reply to STARTTLS", func(p *peer) { p.hello("STARTTLS"); p.next(); p.gone() }, StageSTARTTLS},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cause := errors.New("enough")
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(5*time.Second, func() { cancel(cause) })
				_, err := Open(ctx, serve(t, tt.script), config())
				e := asError(t, err)
				if e.Kind != KindCanceled || e.Stage != tt.stage || !errors.Is(err, cause) {
					t.Errorf("Open() = %v, want %v at %v because %v", err, KindCanceled, tt.stage, cause)
				}
			})
		})
	}
}

func TestOpeningIsRecorded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := open(t, config(), func(p *peer) {
			p.send("220-mx.example.net", "220 \x07ready\xff")
			p.ehlo("PIPELINING", "8BITMIME")
			p.bye()
		})
		want := []Line{
			{Text: "220-mx.example.net"},
			{Text: "220 \ufffdready\ufffd"},
			{Text: "EHLO probe.example.org", Client: true},
			{Text: "250-mx.example.net"},
			{Text: "250-PIPELINING"},
			{Text: "250 8BITMIME"},
		}
		var got []Line
		for _, l := range s.Opening() {
			if l.At.IsZero() {
				t.Errorf("Opening(): %q has no time", l.Text)
			}
			got = append(got, Line{Text: l.Text, Client: l.Client})
		}
		if !slices.Equal(got, want) {
			t.Errorf("Opening() = %v, want %v", got, want)
		}
		s.Quit()
	})
	synctest.Test(t, func(t *testing.T) {
		e := failOpen(t, config(), func(p *peer) { p.send("554 go away"); p.expect("QUIT") })
		if len(e.Opening) != 1 || e.Opening[0].Text != "554 go away" {
			t.Errorf("Error.Opening = %v, want the greeting", e.Opening)
		}
	})
}

func TestTranscriptIsBounded(t *testing.T) {
	for name, line := range map[string]string{
		"short lines": "x", "long lines": strings.Repeat("y", 3000), "wide runes": strings.Repeat("\x01", 3000),
	} {
		var log transcript
		for range 100 {
			log.add(time.Now(), false, []byte(line))
		}
		lines := log.sealed()
		octets := 0
		for _, l := range lines {
			octets += len(l.Text)
			if len(l.Text) > keptLine || !utf8.ValidString(l.Text) {
				t.Errorf("%s: line of %d octets", name, len(l.Text))
			}
		}
		if len(lines) > transcriptLines || octets > transcriptOctets || len(lines) == 0 {
			t.Errorf("%s: %d lines, %d octets", name, len(lines), octets)
		}
	}
}

func TestParseExtensions(t *testing.T) {
	for _, tt := range []struct {
		name  string
		lines []string
		want  Extensions
	}{
		{"none", []string{"mx"}, Extensions{}},
		{"lower case", []string{"mx", "pipelining", "starttls", "SmtpUtf8", "enhancedstatuscodes"}, Extensions{true, true, true, true, Limits{}}},
		{"the first line is a name", []string{"PIPELINING", "SIZE 1000"}, Extensions{}},
		{"tabs and parameters", []string{"mx", "SIZE\t1000", "PIPELINING\t", " STARTTLS x"}, Extensions{Pipelining: true, StartTLS: true}},
		{"twice", []string{"mx", "PIPELINING", "PIPELINING", "AUTH=LOGIN", "AUTH LOGIN"}, Extensions{Pipelining: true}},
		{"a longer word", []string{"mx", "PIPELININGX", "XPIPELINING", "STARTTLS=yes", ""}, Extensions{}},
		{"limits", []string{"mx", "LIMITS rcptmax=20 MAILMAX=5 RCPTDOMAINMAX=1"}, Extensions{Limits: Limits{20, 5, 1}}},
		{"bad limits", []string{"mx", "LIMITS RCPTMAX=0 MAILMAX=-1 RCPTDOMAINMAX=1000000 X=1 RCPTMAX= RCPTMAX"}, Extensions{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := parseExtensions(tt.lines); got != tt.want {
				t.Errorf("parseExtensions(%q) = %+v, want %+v", tt.lines, got, tt.want)
			}
		})
	}
}
