package smtp

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// A dead session: what was answered keeps its answer, what was not has none, and the error says whether that can be
// relied on.
func TestRunSessionDies(t *testing.T) {
	for _, tt := range []death{
		{
			name:   "closed in the middle",
			script: func(p *peer) { p.send("250 m", "250 a"); _ = p.conn.Close() },
			events: []string{"0/-1 250", "0/0 250"}, stage: StageRCPT, kind: KindDisconnected,
		},
		{
			name:   "reset before the first reply",
			script: func(p *peer) { p.conn.(*memConn).reset() },
			stage:  StageMAIL, kind: KindDisconnected,
		},
		{
			name:   "closed within a reply",
			script: func(p *peer) { p.send("250 m", "250 a"); p.raw("250 b"); _ = p.conn.Close() },
			events: []string{"0/-1 250", "0/0 250"}, stage: StageRCPT, kind: KindDisconnected,
		},
		{
			name:   "421 for the second recipient",
			script: func(p *peer) { p.send("250 m", "250 a", "421 4.7.0 enough"); p.gone() },
			events: []string{"0/-1 250", "0/0 250", "0/1 421 4.7.0"}, stage: StageRCPT, kind: KindReply, reply: "421 4.7.0 enough",
		},
		{
			name:   "421 for MAIL, with what was under way answered",
			script: func(p *peer) { p.send("421 4.7.0 enough", "250 a", "250 b", "250 r"); p.gone() },
			events: []string{"0/-1 421 4.7.0"}, stage: StageMAIL, kind: KindReply, reply: "421 4.7.0 enough",
		},
		{
			name:   "421 for RSET",
			script: func(p *peer) { p.send("250 m", "250 a", "250 b", "421 4.4.5 full"); p.gone() },
			events: []string{"0/-1 250", "0/0 250", "0/1 250"}, stage: StageRSET, kind: KindReply, reply: "421 4.4.5 full",
		},
		{
			name:   "421 for a recipient after a refused MAIL",
			script: func(p *peer) { p.send("550 m", "421 enough"); p.gone() },
			events: []string{"0/-1 550"}, stage: StageRCPT, kind: KindReply, reply: "421 enough",
		},
		{
			name:   "221 for a recipient",
			script: func(p *peer) { p.send("250 m", "250 a", "221 bye"); p.gone() },
			events: []string{"0/-1 250", "0/0 250"}, stage: StageRCPT, kind: KindReply, reply: "221 bye",
		},
		{
			name:   "RSET refused",
			script: func(p *peer) { p.send("250 m", "250 a", "250 b", "503 5.5.1 no"); p.expect("QUIT"); p.gone() },
			events: []string{"0/-1 250", "0/0 250", "0/1 250"}, stage: StageRSET, kind: KindReply, reply: "503 5.5.1 no",
		},
		{
			name:   "RSET too often",
			script: func(p *peer) { p.send("250 m", "250 a", "250 b", "554 too many nonmail commands"); _ = p.conn.Close() },
			events: []string{"0/-1 250", "0/0 250", "0/1 250"}, stage: StageRSET, kind: KindReply, reply: "554 too many nonmail commands",
		},
		{
			name:   "RSET gets a recipient's reply",
			script: func(p *peer) { p.send("250 m", "250 a", "250 a", "550 5.1.1 b"); p.expect("QUIT") },
			events: []string{"0/-1 250", "0/0 250", "0/1 250"}, stage: StageRSET, kind: KindProtocol, reply: "550 5.1.1 b", doubtful: true,
		},
		{
			name:     "RSET refused with a mailbox's code, stepwise",
			stepwise: true,
			script: func(p *peer) {
				p.send("250 m")
				p.expect(rcpt(ada))
				p.send("250 a")
				p.expect(rcpt(bob))
				p.send("250 b")
				p.expect("RSET")
				p.send("550 no")
				p.expect("QUIT")
			},
			events: []string{"0/-1 250", "0/0 250", "0/1 250"}, stage: StageRSET, kind: KindReply, reply: "550 no",
		},
		{
			name:   "one reply too many",
			script: func(p *peer) { p.send("250 m", "250 a", "250 a", "250 b", "250 r"); p.expect("QUIT") },
			stage:  StageMAIL, kind: KindProtocol, reply: "250 m", doubtful: true,
		},
		{
			name:     "one reply too many, stepwise",
			stepwise: true,
			script:   func(p *peer) { p.send("250 m", "250 m"); p.expect("QUIT") },
			stage:    StageMAIL, kind: KindProtocol, reply: "250 m", doubtful: true,
		},
		{
			name:   "one reply too few",
			script: func(p *peer) { p.send("250 m", "250 a", "250 r"); p.expect("QUIT") },
			events: []string{"0/-1 250", "0/0 250", "0/1 250"}, stage: StageRSET, kind: KindTimeout, doubtful: true, took: 20 * time.Second,
		},
		{
			name:   "only the first command answered",
			script: func(p *peer) { p.send("250 m"); p.expect("QUIT") },
			events: []string{"0/-1 250"}, stage: StageRCPT, kind: KindTimeout, took: 60 * time.Second,
		},
		{
			name:   "no command answered",
			script: func(p *peer) { p.expect("QUIT") },
			stage:  StageMAIL, kind: KindTimeout, took: 30 * time.Second,
		},
		{
			name:     "recipient not answered, stepwise",
			stepwise: true,
			script: func(p *peer) {
				p.send("250 m")
				p.expect(rcpt(ada))
				p.send("250 a")
				p.expect(rcpt(bob), "QUIT")
			},
			events: []string{"0/-1 250", "0/0 250"}, stage: StageRCPT, kind: KindTimeout, took: 60 * time.Second,
		},
		{
			name:   "two codes in one reply",
			script: func(p *peer) { p.send("250 m", "250-a", "550 b"); p.expect("QUIT") },
			events: []string{"0/-1 250"}, stage: StageRCPT, kind: KindProtocol,
		},
		{
			name:   "no reply at all",
			script: func(p *peer) { p.send("250 m", "250 a", "warning: disk full", "250 b", "250 r"); p.expect("QUIT") },
			events: []string{"0/-1 250", "0/0 250"}, stage: StageRCPT, kind: KindProtocol,
		},
		{
			name:   "3yz",
			script: func(p *peer) { p.send("250 m", "354 go ahead"); p.expect("QUIT") },
			events: []string{"0/-1 250"}, stage: StageRCPT, kind: KindProtocol, reply: "354 go ahead", doubtful: true,
		},
		{
			name:   "a greeting instead of an answer",
			script: func(p *peer) { p.send("250 m", "220 hello"); p.expect("QUIT") },
			events: []string{"0/-1 250"}, stage: StageRCPT, kind: KindProtocol, reply: "220 hello", doubtful: true,
		},
		{
			name:   "PIPELINING offered and not understood",
			script: func(p *peer) { p.send("250 m", "500 what", "500 what", "500 what"); p.expect("QUIT") },
			events: []string{"0/-1 250", "0/0 500", "0/1 500"}, stage: StageRSET, kind: KindReply, reply: "500 what",
		},
		{
			name:   "endless line",
			script: func(p *peer) { p.raw("250 m\r\n250 " + strings.Repeat("x", 60<<10)); p.expect("QUIT") },
			events: []string{"0/-1 250"}, stage: StageRCPT, kind: KindProtocol,
		},
		{
			name: "10,000 continuation lines",
			script: func(p *peer) {
				for range 10_000 {
					p.raw("250-m\r\n")
				}
			},
			stage: StageMAIL, kind: KindProtocol,
		},
	} {
		t.Run(tt.name, func(t *testing.T) { synctest.Test(t, tt.run) })
	}
}

// A death is a way in which a session ends in the middle of a Run for ada and bob.
type death struct {
	name     string
	stepwise bool
	script   func(p *peer) // From the flight on: MAIL, ada, bob, RSET have been read, or MAIL if stepwise.
	events   []string
	stage    Stage
	kind     Kind
	reply    string
	doubtful bool
	took     time.Duration
}

func (d *death) run(t *testing.T) {
	cfg := config()
	cfg.NoPipelining = d.stepwise
	s, conn := open(t, cfg, func(p *peer) {
		p.hello("PIPELINING")
		p.expect(mailFrom)
		if !d.stepwise {
			p.expect(rcpt(ada), rcpt(bob), "RSET")
		}
		d.script(p)
	})
	var r recorder
	start := time.Now()
	e := asError(t, s.Run(t.Context(), []Transaction{tx(ada, bob)}, r.on))
	r.want(t, d.events...)
	if e.Stage != d.stage || e.Kind != d.kind || e.Reply.String() != d.reply || e.Doubtful != d.doubtful || !e.Sent {
		t.Errorf("Run() = %+v, want %q, %v, %q, doubtful %v, sent", e, d.stage, d.kind, d.reply, d.doubtful)
	}
	if got := time.Since(start); got != d.took {
		t.Errorf("Run took %v, want %v", got, d.took)
	}
	<-s.Done()
	wantDead(t, s, conn)
	s.Quit()
}

// wantDead fails unless s refuses to be used, and writes nothing.
func wantDead(t *testing.T, s *Session, conn *memConn) {
	t.Helper()
	writes := len(conn.written())
	if s.Usable() == nil || s.Err() == nil {
		t.Errorf("Usable() = %v, Err() = %v, want the session dead", s.Usable(), s.Err())
	}
	err := s.Run(t.Context(), []Transaction{tx(eve)}, func(e Event) { t.Errorf("event %+v on a dead session", e) })
	if asError(t, err).Sent || len(conn.written()) != writes {
		t.Errorf("Run() on a dead session = %v, wrote %q", err, conn.written()[writes:])
	}
}

// What follows the last reply takes no answer back, unless it is one reply more.
func TestRunEndsWithTheSession(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(p *peer)
		kind Kind
	}{
		"FIN": {func(p *peer) { _ = p.conn.Close() }, KindDisconnected},
		"421": {func(p *peer) { p.raw("421 4.3.2 going down\r\n") }, KindReply},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, _ := open(t, config(), func(p *peer) {
					p.hello("PIPELINING")
					p.expect(mailFrom, rcpt(ada), "RSET")
					p.send("250 m", "250 a", "250 r")
					tt.end(p)
				})
				if err := s.Run(t.Context(), []Transaction{tx(ada)}, nil); err != nil {
					t.Errorf("Run() = %v, want nil: every command was answered", err)
				}
				<-s.Done()
				if e := asError(t, s.Usable()); e.Kind != tt.kind || e.Doubtful {
					t.Errorf("Usable() = %v, want %v", e, tt.kind)
				}
				s.Quit()
			})
		})
	}
}

// A reply too many that comes late finds an idle session. Run could not know; Err tells it afterwards.
func TestSurplusReplyComesLate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, conn := open(t, config(), func(p *peer) {
			p.hello("PIPELINING")
			p.expect(mailFrom, rcpt(ada), rcpt(bob), "RSET")
			for _, reply := range []string{"250 m", "250 a", "250 a", "250 b", "250 r"} {
				p.send(reply)
				time.Sleep(time.Second)
			}
			p.expect("QUIT")
		})
		if err := s.Run(t.Context(), []Transaction{tx(ada, bob)}, nil); err != nil {
			t.Fatalf("Run() = %v", err)
		}
		<-s.Done()
		if e := asError(t, s.Err()); e.Kind != KindProtocol || !e.Doubtful || e.Stage != "" || e.Reply.String() != "250 r" {
			t.Errorf("Err() = %+v, want %v, doubtful, while idle", e, KindProtocol)
		}
		wantDead(t, s, conn)
		s.Quit()
	})
}
