package mailworld_test

import (
	"net"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/verimails/verimaild/internal/mailworld"
)

// A host may behave otherwise in each session.
func TestHostVary(t *testing.T) {
	s := spec(func(h *mailworld.Host) {
		h.Vary = func(n int, h *mailworld.Host) {
			h.Name = "ignored"
			switch n {
			case 2:
				h.Blocks = []mailworld.Block{{At: mailworld.AtConnect, Reply: mailworld.Say(554, "5.7.1 not today")}}
			case 3:
				h.Pipelining = mailworld.PipeliningOff
			}
		}
	})
	inMemory(t, s, func(t *testing.T, w *mailworld.World) {
		for n := 1; n <= 4; n++ {
			p := dial(t, w, 0)
			if n == 2 {
				p.play("< 554 not today\nclose")
				continue
			}
			if offered := strings.Contains(p.hello(), "PIPELINING"); offered == (n == 3) {
				t.Errorf("session %d: PIPELINING is offered: %v", n, offered)
			}
			p.bye()
		}
		if n := len(w.Sessions(host)); n != 4 {
			t.Errorf("%d sessions at %s, want 4: its name stays", n, host)
		}
	})
}

// A name may be answered otherwise each time.
func TestDomainVary(t *testing.T) {
	faults := []mailworld.Fault{mailworld.ServFail, mailworld.Answer, mailworld.Refused}
	s := spec()
	s.Domains[0].Vary = func(n int, kind, network string) mailworld.Fault {
		if kind != "MX" || network != "udp" {
			t.Errorf("Vary is asked about %s over %s", kind, network)
		}
		return faults[n-1]
	}
	w := start(t, s)
	for i, want := range []int{dns.RcodeServerFailure, dns.RcodeSuccess, dns.RcodeRefused} {
		if m := ask(t, w, domain, dns.TypeMX); m.Rcode != want {
			t.Errorf("answer %d: %s, want %s", i+1, dns.RcodeToString[m.Rcode], dns.RcodeToString[want])
		}
	}
}

// Who is killed owes no QUIT; who was not does.
func TestExcuse(t *testing.T) {
	w, err := mailworld.Start(spec())
	if err != nil {
		t.Fatal(err)
	}
	leave := func() {
		c, err := net.Dial("tcp", w.HostAddr(spec().Hosts[0].Name).String())
		if err != nil {
			t.Fatal(err)
		}
		p := newPeer(t, c)
		p.hello()
		p.shut()
		settle(t, w)
	}
	end := w.Excuse()
	leave()
	end()
	end()
	if v := w.Violations(); len(v) != 0 {
		t.Errorf("while excused: %v", v)
	}
	leave()
	if v := w.Violations(); len(v) != 1 {
		t.Errorf("afterwards: %v, want one violation", v)
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

// A session in which the host broke the protocol is marked.
func TestOddSessions(t *testing.T) {
	s := spec(func(h *mailworld.Host) {
		h.Vary = func(n int, h *mailworld.Host) {
			if n == 1 {
				h.Glitches = []mailworld.Glitch{{On: "RCPT", Do: mailworld.DoClose}}
			}
		}
	})
	inMemory(t, s, func(t *testing.T, w *mailworld.World) {
		dial(t, w, 0).play("begin\n> " + rcpt("ada") + "\n< EOF\nclose")
		dial(t, w, 0).play("begin\n> " + rcpt("ada") + "\n< 250\n" + quit)
		time.Sleep(time.Minute) // In a bubble.
		if got := w.Sessions(""); len(got) != 2 || !got[0].Odd || got[1].Odd {
			t.Errorf("sessions = %+v, want two, the first odd", got)
		}
	})
}
