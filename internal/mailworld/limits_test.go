package mailworld_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
)

// cycle is one transaction with an unknown recipient, in one flight.
const cycle = "> MAIL FROM:<p@a.test>\n> RCPT TO:<x%d@example.test>\n> RSET\n< 250\n< 550\n< 250"

func TestSessionLimits(t *testing.T) {
	as := func(f func(string) mailworld.Host) func(*mailworld.Host) {
		return func(h *mailworld.Host) { *h = f(h.Name) }
	}
	playAll(t, []dialogue{
		{
			"Postfix: late from the 10th error on, 421 after the 20th", as(mailworld.Postfix),
			"begin\n" + repeat(10, "> "+rcpt("x%d")+"\n< 550") + "@ 0s\n" +
				repeat(10, "> "+rcpt("y%d")+"\n< 550") + "@ 10s\n> RSET\n< 421 too many errors\n@ 11s\n< EOF\nclose", nil,
		},
		{
			"Postfix: RSET forgives nothing", as(mailworld.Postfix),
			"hello\n" + repeat(9, cycle) + "@ 0s\n> MAIL FROM:<p@a.test>\n> " + rcpt("x") + "\n> RSET\n< 250\n< 550\n< 250\n@ 1s\n" + quit, nil,
		},
		{
			"Postfix: RSET is junk beyond the 100th", as(mailworld.Postfix),
			"hello\n" + repeat(100, "> RSET\n< 250") + "@ 0s\n" + repeat(20, "> RSET\n< 250") + "> RSET\n< 421\n< EOF\nclose", nil,
		},
		{"Postfix: idle", as(mailworld.Postfix), "begin\n> RSET\n< 250\n< 421 4.4.2\n@ 5m\n< EOF\nclose", nil},
		{
			"Exim: the 12th RSET", as(mailworld.Exim),
			"hello\n" + repeat(11, "> MAIL FROM:<p@a.test>\n> RCPT TO:<ada@example.test>\n> RSET\n< 250\n< 250 Accepted\n< 250") +
				"> RSET\n< 554 Too many nonmail commands\n< EOF\nclose", nil,
		},
		{
			"Exim: a second EHLO counts", as(mailworld.Exim),
			"hello\n" + repeat(11, "> EHLO a.test\n< 250") + "> EHLO a.test\n< 554\n< EOF\nclose", nil,
		},
		{
			"cPanel: four refusals", as(mailworld.CPanel),
			"begin\n" + repeat(4, "> "+rcpt("x%d")+"\n< 550") + "> " + rcpt("x") + "\n< 421\n< EOF\nclose", nil,
		},
		{
			"OpenSMTPD: no PIPELINING", as(mailworld.OpenSMTPD),
			"begin\n> " + rcpt("ada") + "\n> " + rcpt("grace") + "\n< 250\n< 500\n< EOF\nclose",
			[]string{"without PIPELINING"},
		},
		{"OpenSMTPD: idle, without a word", as(mailworld.OpenSMTPD), "begin\n> RSET\n< 250\n< EOF\n@ 5m\nclose", nil},
		{"Sendmail: no limit", as(mailworld.Sendmail), "hello\n" + repeat(50, cycle) + "@ 0s\n" + quit, nil},
		{
			"Exchange: late refusals", as(mailworld.Exchange),
			"begin\n> " + rcpt("ada") + "\n< 250\n@ 0s\n> " + rcpt("x") + "\n< 550 5.1.10\n@ 5s\n> " + rcpt("y") + "\n< 550\n@ 10s\n" + quit, nil,
		},
		{
			"Exchange: ten minutes, busy or not", as(mailworld.Exchange),
			"hello\n" + repeat(4, "~ 2m\n> RSET\n< 250\n") + "< 421\n< EOF\n@ 10m\nclose", nil,
		},
		{"a growing tarpit", func(h *mailworld.Host) {
			h.Limits = mailworld.Limits{SoftErrors: 1, ErrorDelay: time.Second, ErrorGrowth: time.Second, MaxErrorDelay: 3 * time.Second}
		}, "begin\n> " + rcpt("x") + "\n< 550\n@ 0s\n> RSET\n< 250\n@ 1s\n> RSET\n< 250\n@ 3s\n> RSET\n< 250\n@ 6s\n> RSET\n< 250\n@ 9s\n> QUIT\n< 221\nclose", nil},
		{"commands", func(h *mailworld.Host) { h.Limits.Commands.N = 3 }, "begin\n> RSET\n< 250\n> RSET\n< 421\n< EOF\nclose", nil},
		{"the whole session", func(h *mailworld.Host) { h.Limits.Total = time.Minute }, "begin\n~ 30s\n> RSET\n< 250\n< 421\n@ 1m\n< EOF\nclose", nil},
		{"slow verbs", func(h *mailworld.Host) {
			h.Slow = map[string]time.Duration{"RCPT": 2 * time.Second, "*": time.Second}
		}, "< 220\n@ 1s\n> EHLO a.test\n< 250\n@ 2s\n> MAIL FROM:<p@a.test>\n> " + rcpt("ada") + "\n< 250\n@ 3s\n< 250\n@ 5s\n" + quit, nil},
	})
}

// at dials from a source and plays a script.
func at(t *testing.T, w *mailworld.World, source netip.Addr, script string) {
	t.Helper()
	c, err := w.Dial(t.Context(), netip.AddrPortFrom(source, 0), w.HostAddr(host))
	if err != nil {
		t.Fatal(err)
	}
	newPeer(t, c).play(script)
}

func TestClientLimits(t *testing.T) {
	t.Run("sessions at once", func(t *testing.T) {
		limit := func(h *mailworld.Host) { h.Limits.Sessions.N = 2 }
		inMemory(t, spec(limit), func(t *testing.T, w *mailworld.World) {
			a, b := dial(t, w, 0), dial(t, w, 0)
			a.hello()
			b.hello()
			at(t, w, w.SourceAddr(0), "< 421 too many concurrent\n< EOF\nclose")
			at(t, w, w.SourceAddr(1), "hello\n"+quit)
			a.bye()
			time.Sleep(2 * time.Second)
			at(t, w, w.SourceAddr(0), "hello\n"+quit)
			b.bye()
			w.Check(t)
		})
	})
	t.Run("sessions in a while", func(t *testing.T) {
		limit := func(h *mailworld.Host) { h.Limits.SessionRate = mailworld.Rate{N: 2, Per: time.Hour} }
		inMemory(t, spec(limit), func(t *testing.T, w *mailworld.World) {
			for range 2 {
				at(t, w, w.SourceAddr(0), "hello\n"+quit)
				time.Sleep(time.Minute)
			}
			at(t, w, w.SourceAddr(0), "< 421 short time\n< EOF\nclose")
			time.Sleep(59 * time.Minute)
			at(t, w, w.SourceAddr(0), "hello\n"+quit)
			w.Check(t)
		})
	})
	t.Run("recipients in a while", func(t *testing.T) {
		limit := func(h *mailworld.Host) { h.Limits.RecipientRate = mailworld.Rate{N: 2, Per: time.Minute} }
		inMemory(t, spec(limit), func(t *testing.T, w *mailworld.World) {
			at(t, w, w.SourceAddr(0), "begin\n"+repeat(2, "> "+rcpt("ada")+"\n< 250")+"> "+rcpt("ada")+"\n< 450 slow down\n"+quit)
			time.Sleep(time.Minute)
			at(t, w, w.SourceAddr(0), "begin\n> "+rcpt("ada")+"\n< 250\n"+quit)
			w.Check(t)
		})
	})
}

func TestBlocks(t *testing.T) {
	stages := map[string]struct {
		at     mailworld.Stage
		script string
	}{
		"connect": {mailworld.AtConnect, "< 554 127.77.192.2\n" + quit},
		"EHLO":    {mailworld.AtEHLO, "< 220\n> EHLO a.test\n< 554\n" + quit},
		"MAIL":    {mailworld.AtMAIL, "hello\n> MAIL FROM:<p@a.test>\n< 554\n" + quit},
		"RCPT":    {mailworld.AtRCPT, "begin\n> " + rcpt("ada") + "\n< 554 blocked\n" + quit},
	}
	for name, tt := range stages {
		t.Run(name, func(t *testing.T) {
			block := func(h *mailworld.Host) { h.Blocks = []mailworld.Block{{At: tt.at, Sources: []int{1}}} }
			inMemory(t, spec(block), func(t *testing.T, w *mailworld.World) {
				at(t, w, w.SourceAddr(1), tt.script)
				at(t, w, w.SourceAddr(0), "begin\n> "+rcpt("ada")+"\n< 250\n"+quit)
				w.Check(t)
			})
		})
	}
	t.Run("a prefix, from now on", func(t *testing.T) {
		inMemory(t, spec(), func(t *testing.T, w *mailworld.World) {
			at(t, w, w.SourceAddrIn(1, 5), "hello\n"+quit)
			prefix := netip.PrefixFrom(w.SourceAddrIn(1, 0), 24).Masked()
			err := w.Change(host, func(h *mailworld.Host) {
				h.Blocks = []mailworld.Block{{Prefixes: []netip.Prefix{prefix}, Reply: mailworld.Say(521, "never")}}
			})
			if err != nil {
				t.Fatal(err)
			}
			at(t, w, w.SourceAddrIn(1, 5), "< 521 never\n"+quit)
			at(t, w, w.SourceAddrIn(0, 5), "hello\n"+quit)
			w.Check(t)
		})
	})
}

func TestHarvest(t *testing.T) {
	ask := func(local string, code string) string { return "begin\n> " + rcpt(local) + "\n< " + code + "\n" + quit }
	tests := []struct {
		name   string
		then   mailworld.HarvestThen
		beyond string
	}{
		{"refuses", mailworld.HarvestRefuses, ask("ada", "550 5.7.1 Too many invalid")},
		{"closes", mailworld.HarvestCloses, "begin\n> " + rcpt("ada") + "\n< 421\n< EOF\nclose"},
		{"accepts", mailworld.HarvestAccepts, ask("nobody", "250")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			cisco := func(h *mailworld.Host) { *h = mailworld.Cisco(h.Name, tt.then) }
			inMemory(t, spec(cisco), func(t *testing.T, w *mailworld.World) {
				for i := range 25 { // From a whole /24.
					at(t, w, w.SourceAddr(i), ask("ada", "250"))
					at(t, w, w.SourceAddr(i), ask("x", "550 #5.1.0"))
				}
				at(t, w, w.SourceAddr(30), tt.beyond)
				at(t, w, w.SourceAddrIn(1, 0), ask("x", "550 #5.1.0"))
				time.Sleep(time.Hour)
				at(t, w, w.SourceAddr(30), ask("x", "550 #5.1.0"))
				w.Check(t)
				got := w.Harvested(host)
				if len(got) != 2 || got[0].Peak < 25 || got[0].Beyond != 1 || got[1].Total != 1 {
					t.Errorf("Harvested() = %+v, want two networks, the first with peak 25 and 1 beyond, the second with 1", got)
				}
			})
		})
	}
	t.Run("by share, for three hours", func(t *testing.T) {
		share := func(h *mailworld.Host) {
			h.Harvest = mailworld.Harvest{Share: 0.5, Of: 4, Window: time.Hour, For: 3 * time.Hour, Connect: mailworld.Say(554, "go away")}
		}
		inMemory(t, spec(share), func(t *testing.T, w *mailworld.World) {
			for _, step := range []string{ask("x", "550"), ask("y", "550"), ask("ada", "250"), ask("z", "550")} {
				at(t, w, w.SourceAddr(0), step)
			}
			at(t, w, w.SourceAddr(0), "< 554 go away\n"+quit)
			at(t, w, w.SourceAddr(1), ask("ada", "250"))
			time.Sleep(2 * time.Hour)
			at(t, w, w.SourceAddr(0), "< 554 go away\n"+quit)
			time.Sleep(time.Hour)
			at(t, w, w.SourceAddr(0), ask("ada", "250"))
		})
	})
}

func TestGreylist(t *testing.T) {
	ask := func(sender, local, code string) string {
		return "hello\n> MAIL FROM:<" + sender + ">\n> " + rcpt(local) + "\n< 250\n< " + code + "\n" + quit
	}
	grey := func(h *mailworld.Host) { h.Greylist = 300 * time.Second }
	inMemory(t, spec(grey), func(t *testing.T, w *mailworld.World) {
		at(t, w, w.SourceAddr(0), ask("p@a.test", "ada", "450 Greylisted for 300 seconds"))
		time.Sleep(299 * time.Second)
		at(t, w, w.SourceAddr(0), ask("p@a.test", "ada", "450"))
		time.Sleep(time.Second)
		at(t, w, w.SourceAddrIn(1, 0), ask("p@a.test", "ada", "450")) // Another network.
		at(t, w, w.SourceAddr(0), ask("q@a.test", "ada", "450"))      // Another sender.
		at(t, w, w.SourceAddr(0), ask("p@a.test", "grace", "450"))    // Another recipient.
		at(t, w, w.SourceAddr(7), ask("p@a.test", "ada", "250"))      // The same network.
		w.Check(t)
	})
}

func TestGreylistText(t *testing.T) {
	grey := func(h *mailworld.Host) {
		h.Greylist, h.Greylisted = time.Minute, mailworld.Say(451, "4.7.1 come back in a minute, [{ip}]")
	}
	inMemory(t, spec(grey), func(t *testing.T, w *mailworld.World) {
		at(t, w, w.SourceAddr(0), "begin\n> "+rcpt("ada")+"\n< 451 4.7.1 come back in a minute, [127.77.192.1]\n"+quit)
		time.Sleep(time.Minute)
		at(t, w, w.SourceAddr(0), "begin\n> "+rcpt("ada")+"\n< 250\n"+quit)
	})
}

func TestGreylistOfMailbox(t *testing.T) {
	s := spec()
	s.Domains[0].Replies = map[string]mailworld.Reply{"slow": {Greylist: time.Minute}}
	inMemory(t, s, func(t *testing.T, w *mailworld.World) {
		at(t, w, w.SourceAddr(0), "begin\n> "+rcpt("slow")+"\n< 450\n> "+rcpt("ada")+"\n< 250\n"+quit)
		time.Sleep(time.Minute)
		at(t, w, w.SourceAddr(0), "begin\n> "+rcpt("slow")+"\n< 250\n"+quit)
	})
}
