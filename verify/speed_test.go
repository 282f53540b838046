package verify_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/verimails/verimaild/cache"
	"github.com/verimails/verimaild/internal/mailworld"
	"github.com/verimails/verimaild/internal/netguard"
	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/pool"
	"github.com/verimails/verimaild/pool/provider"
	"github.com/verimails/verimaild/pool/reply"
	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/lists"
	"github.com/verimails/verimaild/verify/maildns"
	"github.com/verimails/verimaild/verify/verdict"
)

// The town is a world for measuring: popularity is Zipf-like, three providers have two fifths of all addresses.
const (
	townAddresses = 20_000
	townDomains   = 5_300
	townSites     = 1_670
	townProviders = 3
	townInFlight  = 4_000
	townRTT       = 20 * time.Millisecond
)

// townHost is the mail host of a domain: every other one of the most popular domains is at one of three providers.
func townHost(domain int) int {
	if domain%5 < 2 {
		return domain % townProviders
	}
	return townProviders + domain%(townSites-townProviders)
}

// townCatchAll reports whether a domain accepts everyone: about 15 % of the addresses are at such ones.
func townCatchAll(domain int) bool { return domain%20 > 16 }

// town describes the world.
func town() mailworld.Spec {
	spec := mailworld.Spec{RTT: townRTT, CountersOnly: true}
	for i := range townSites {
		spec.Hosts = append(spec.Hosts, mailworld.Host{Name: fmt.Sprintf("mx%d.town.test", i)})
	}
	for i := range townDomains {
		d := mailworld.Domain{Name: fmt.Sprintf("d%d.test", i), MX: mailworld.MXs(fmt.Sprintf("mx%d.town.test", townHost(i)))}
		if townCatchAll(i) {
			d.CatchAll = true
		} else {
			d.Rcpt = func(path string) mailworld.Reply {
				if rest, ok := strings.CutPrefix(path, "live"); ok && rest[0] <= '9' { // A made-up name is made of syllables.
					return mailworld.Say(250, "2.1.5 Ok")
				}
				return mailworld.Reply{}
			}
		}
		spec.Domains = append(spec.Domains, d)
	}
	return spec
}

// townList is the addresses to ask about, and the truth: 12 % are dead.
func townList() (addrs []string, truth map[string]verdict.Reason) {
	r := rand.New(rand.NewPCG(1, 2))
	zipf := rand.NewZipf(r, 1.05, 20, townDomains-1)
	truth = map[string]verdict.Reason{}
	for i := range townAddresses {
		d := int(zipf.Uint64())
		local, reason := "live", verdict.MailboxAccepted
		if r.IntN(100) < 12 {
			local, reason = "dead", verdict.MailboxNotFound
		}
		if townCatchAll(d) {
			reason = verdict.AcceptedCatchAll
		}
		a := fmt.Sprintf("%s%d@d%d.test", local, i, d)
		addrs = append(addrs, a)
		truth[a] = reason
	}
	return addrs, truth
}

// townAt is what the process of the world tells about itself.
type townAt struct {
	DNS    string
	Port   int
	Source netip.Addr
}

// townEnv makes the test binary the process of the world.
const townEnv = "VERIFY_TEST_TOWN"

// runTown is the process of the world: it says where it is, and what it counted when its input ends.
func runTown() error {
	w, err := mailworld.Start(town())
	if err != nil {
		return err
	}
	out := json.NewEncoder(os.Stdout)
	if err := out.Encode(townAt{DNS: w.DNSAddr(), Port: w.Port(), Source: w.SourceAddr(0)}); err != nil {
		return err
	}
	if _, err := bufio.NewReader(os.Stdin).ReadByte(); err == nil {
		return fmt.Errorf("unexpected input")
	}
	if err := out.Encode(w.Counts()); err != nil {
		return err
	}
	return w.Close()
}

// BenchmarkTown verifies the whole list once an iteration, with limits lifted and memory on, against a world in a
// process of its own, so that our CPU is told apart from its.
func BenchmarkTown(b *testing.B) {
	addrs, truth := townList()
	for b.Loop() {
		b.StopTimer()
		cmd := exec.Command(os.Args[0], "-test.run=^$")
		cmd.Env = append(os.Environ(), townEnv+"=1")
		cmd.Stderr = os.Stderr
		in, err := cmd.StdinPipe()
		if err != nil {
			b.Fatal(err)
		}
		out, err := cmd.StdoutPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			b.Fatal(err)
		}
		dec := json.NewDecoder(out)
		var at townAt
		if err := dec.Decode(&at); err != nil {
			b.Fatal(err)
		}
		b.StartTimer()
		st := askTown(b, at, addrs, truth)
		b.StopTimer()
		n := float64(len(addrs))
		in.Close()
		var counts mailworld.Counts
		if err := dec.Decode(&counts); err != nil {
			b.Fatal(err)
		}
		if err := cmd.Wait(); err != nil {
			b.Fatal(err)
		}
		b.ReportMetric(float64(counts.Sessions)/n, "connections/address")
		b.ReportMetric(float64(counts.Commands["RCPT"])/n, "recipients/address")
		b.ReportMetric(float64(counts.Commands["EHLO"]+int(st.Flights))/n, "roundtrips/address")
		b.StartTimer()
	}
}

// askTown verifies addrs, some thousands at a time, and reports our CPU and memory.
func askTown(b *testing.B, at townAt, addrs []string, truth map[string]verdict.Reason) pool.Stats {
	guard := netguard.New(netguard.Options{Allow: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	resolver, err := maildns.New(maildns.Options{Servers: []string{at.DNS}, Guard: guard})
	if err != nil {
		b.Fatal(err)
	}
	none, always := 0, time.Duration(0)
	ratio := 0.0
	p, err := pool.New(pool.Options{
		Sender: "probe@source0.egress.test", Sources: []pool.Source{{Name: "a", IPv4: at.Source, EHLO: "source0.egress.test"}},
		Port: uint16(at.Port), Guard: guard, Replies: reply.Builtin(), MaxSessions: 200,
		Limits: &provider.Limits{
			Ramp: new(false), Sessions: new(10), RecipientsPerTransaction: new(100), TransactionsPerSession: &none,
			RefusalsPerSession: &none, SessionsPerHour: &none, DialInterval: &always, RefusalsPerHour: &none, ControlsPerHour: &none,
			RefusalRatio: &ratio, ProbesPerMinute: &ratio, Idle: &always, SessionAge: &always,
		},
	})
	if err != nil {
		b.Fatal(err)
	}
	p.Start(context.Background())
	stores, err := store.Open(store.Options{Dir: b.TempDir() + "/state"})
	if err != nil {
		b.Fatal(err)
	}
	c, err := cache.New(cache.Options{Stores: stores})
	if err != nil {
		b.Fatal(err)
	}
	names, err := lists.New(lists.Options{})
	if err != nil {
		b.Fatal(err)
	}
	v, err := verify.New(verify.Options{
		Lists: names, Resolver: resolver, Memory: memory{c}, Secret: []byte("0123456789abcdef"),
		Settings: verify.Settings{Prober: p},
	})
	if err != nil {
		b.Fatal(err)
	}
	start, before := time.Now(), usage()
	next := make(chan string, 64)
	var wrong sync.Map
	var wg sync.WaitGroup
	for range townInFlight {
		wg.Go(func() {
			for a := range next {
				ans, err := v.Verify(context.Background(), verify.Request{Email: a, MaxAge: -1, Deadline: time.Minute, Class: verify.Bulk})
				if err != nil || ans.Reason != truth[a] {
					wrong.Store(a, fmt.Sprintf("%v %+v", err, ans))
				}
			}
		})
	}
	for _, a := range addrs {
		next <- a
	}
	close(next)
	wg.Wait()
	n := float64(len(addrs))
	b.ReportMetric(n/time.Since(start).Seconds(), "addresses/s")
	after := usage()
	b.ReportMetric((cpuTime(&after)-cpuTime(&before)).Seconds()*1000/n, "cpu-s/1000")
	b.ReportMetric(float64(after.Maxrss)/1024, "MiB-peak")
	st := p.Stats()
	wrongs := 0
	wrong.Range(func(k, why any) bool {
		if wrongs++; wrongs <= 3 {
			b.Errorf("%s: %s, want %s", k, why, truth[k.(string)])
		}
		return true
	})
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	for _, err := range []error{v.Close(ctx), p.Close(ctx), stores.Close()} {
		if err != nil {
			b.Error(err)
		}
	}
	resolver.Close()
	return st
}

// usage is what this process has used so far.
func usage() syscall.Rusage {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return u
}

// cpuTime is the time that it has had of all CPUs.
func cpuTime(u *syscall.Rusage) time.Duration {
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
