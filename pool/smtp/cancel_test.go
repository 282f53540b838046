package smtp

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestRunCanceled(t *testing.T) {
	cause := errors.New("enough")
	for name, commands := range map[string][]string{
		"burst":    {rcpt(ada), "RSET"},
		"stepwise": {rcpt(ada)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				cfg := config()
				cfg.NoPipelining = name == "stepwise"
				s, _ := open(t, cfg, func(p *peer) {
					p.hello("PIPELINING")
					p.expect(mailFrom)
					p.send("250 m")
					p.expect(commands...)
					time.Sleep(10 * time.Second)
					p.send("250 late")
					p.expect("QUIT")
				})
				ctx, cancel := context.WithCancelCause(t.Context())
				time.AfterFunc(5*time.Second, func() { cancel(cause) })
				var r recorder
				err := s.Run(ctx, []Transaction{tx(ada)}, r.on)
				if e := asError(t, err); e.Kind != KindCanceled || e.Stage != StageRCPT || !errors.Is(err, cause) || !e.Sent {
					t.Errorf("Run() = %v, want %v at %v because %v, sent", err, KindCanceled, StageRCPT, cause)
				}
				s.Quit()
				time.Sleep(time.Minute)
				r.want(t, "0/-1 250") // Nothing is reported once Run has returned.
			})
		})
	}
}

func TestRunCanceledBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := open(t, config(), func(p *peer) { p.hello("PIPELINING"); p.bye() })
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if e := asError(t, s.Run(ctx, []Transaction{tx(ada)}, nil)); e.Kind != KindCanceled || e.Sent {
			t.Errorf("Run() = %v, sent %v, want %v and nothing sent", e, e.Sent, KindCanceled)
		}
		if err := s.Usable(); err != nil {
			t.Errorf("Usable() = %v: a Run that sent nothing harms nothing", err)
		}
		s.Quit()
	})
}

// A context that ends after its Run must not hit the next one.
func TestRunCanceledAfter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := open(t, config(), func(p *peer) {
			p.hello("PIPELINING")
			for range 100 {
				p.expect(mailFrom, "RSET")
				p.send("250 m", "250 r")
			}
			p.bye()
		})
		for i := range 100 {
			ctx, cancel := context.WithCancel(t.Context())
			if err := s.Run(ctx, []Transaction{tx()}, nil); err != nil {
				t.Fatalf("Run %d = %v", i, err)
			}
			cancel()
		}
		synctest.Wait()
		if err := s.Usable(); err != nil {
			t.Errorf("Usable() = %v", err)
		}
		s.Quit()
	})
}
