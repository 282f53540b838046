package pool

import (
	"encoding/hex"
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/verimails/verimaild/pool/budget"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/pool/smtp"
)

func fullRecord() record {
	at := time.UnixMilli(1_790_000_000_000)
	return record{
		Written: at,
		Learned: learned{Recipients: 2, Transactions: 7, Refusals: 1, Idle: 8 * time.Second, Age: time.Minute, Proven: 3, At: at},
		Hosts:   []hostNote{{"mx.a.test", hostRecord{at, at.Add(time.Hour)}}},
		Accounts: []accountNote{
			{Prefix: netip.MustParsePrefix("192.0.2.0/24"), Dead: []budget.Minute{{Ago: 3, Events: 2}}, Controls: []budget.Minute{{Ago: 0, Events: 1}}, Leased: hold{4, 5}, Allowed: 20, Raised: time.Minute},
			{Leased: hold{1, 0}},
		},
		Paths: []pathNote{{
			Source: "a", Debt: 3 * time.Second, LearnedRate: 2.5, Window: 1.5, Ratio: []budget.Event{{Ago: 1, Bad: true}, {Ago: 0, Bad: false}},
			Openings: []budget.Minute{{Ago: 9, Events: 9}}, NextDial: 4 * time.Second, LastProbe: time.Second, Welcome: true,
			Breaker: budget.Breaker{Until: time.Hour, Opened: true, Opens: 2, Fails: 1},
			Refusal: &Outcome{
				Stage: smtp.StageMAIL, Host: "mx.a.test", IP: netip.MustParseAddr("192.0.2.1"), TLS: "TLS1.3", At: at, RetryAt: at.Add(time.Hour),
				Reply:   smtp.Reply{Code: 554, Enhanced: smtp.EnhancedCode{Class: 5, Subject: 7, Detail: 1}, Lines: []string{"go away"}, At: at},
				Meaning: reply.Meaning{Class: reply.SourceBlocked, Scope: reply.ScopeSourceSite, Rule: "r"}, Remembered: true,
			},
		}},
	}
}

func TestRecordRoundTrip(t *testing.T) {
	for name, want := range map[string]record{"full": fullRecord(), "empty": {}} {
		got, err := readRecord(appendRecord(nil, want))
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: read back\n%+v, %v, want\n%+v", name, got, err, want)
		}
	}
	if n := len(appendRecord(nil, fullRecord())); n > 400 {
		t.Errorf("a record with a path takes %d octets, want at most 400", n)
	}
}

// TestRecordOnDisk: what was spent and learned stays readable, to the octet.
func TestRecordOnDisk(t *testing.T) {
	const want = "0180b083c59868040e0206807dc0a90780b083c5986802096d782e612e7465737480b083c5986880eabac89868040c3139322e302e322e" +
		"302f3234020604020002080a28c0a9070e696e76616c696420507265666978000002000000020161f02e000020400000c03f0402010000021212c03e" +
		"d00f1580bab703040200046d61696c07676f20617761790e736f757263655f626c6f636b65640b736f757263655f736974650001720000096d782e61" +
		"2e7465737406544c53312e33093139322e302e322e31d4080a0e0280b083c5986880eabac89868"
	b := appendRecord(nil, fullRecord())
	if got := hex.EncodeToString(b); got != want {
		t.Errorf("appendRecord = %s, want %s", got, want)
	}
	for n := range b {
		if r, err := readRecord(b[:n]); err == nil {
			t.Errorf("readRecord of the first %d octets = %+v, want an error", n, r)
		}
	}
	if r, err := readRecord(append(b, 0)); err == nil {
		t.Errorf("readRecord of an octet more = %+v, want an error", r)
	}
}

// A record of any bytes is refused, or says nothing that could do harm.
func FuzzRecord(f *testing.F) {
	f.Add(appendRecord(nil, fullRecord()))
	f.Add(appendRecord(nil, record{}))
	f.Add([]byte{recordVersion + 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		r, err := readRecord(b)
		if err != nil {
			return
		}
		p := &Pool{started: time.Now(), sites: map[string]*site{}, across: map[string]*providerState{}, hosts: map[string]hostRecord{}}
		p.base = DefaultLimits()
		p.sources = []*sourceState{(&Pool{}).newSourceState(Source{Name: "a"})}
		s := p.siteOf("mx.a.test", "")
		s.restore(&r)
		now := p.now()
		for _, pa := range s.paths {
			if at := pa.dialAt(now); at-now > 2*time.Hour {
				t.Errorf("the path is not dialled for %v", at-now)
			}
			if pa.breaker.Opened && pa.breaker.Until-now > 48*time.Hour {
				t.Errorf("the breaker is open for %v", pa.breaker.Until-now)
			}
			pa.allowance(now, netip.Prefix{})
		}
		again, err := readRecord(appendRecord(nil, s.record(now, 0)))
		if err != nil {
			t.Errorf("what was restored cannot be written again: %v, %+v", err, again)
		}
	})
}
