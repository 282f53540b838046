package soak

import (
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
)

// The hosts of the country that TestTenDays lives in. What a host is, its name says.
const (
	plainHosts  = 10
	companyHost = "mx.company.test"
	sharedHost  = "mx.shared.test"
	googleHost  = "aspmx.l.google.com"
	allHost     = "mx.all.test"
	harvestHost = "mx.harvest.test"
	slowHost    = "mx.slow.test"
	flakyHost   = "mx.flaky.test"
	blockHost   = "mx.block.test"
	witnessHost = "mx.witness.test"
	oldHost     = "mx.old.test"
	newHost     = "mx.new.test"
)

// A greylist is a host that puts strangers off for a time, and when a ticket asks it: so long after the visit before.
type greylist struct {
	host   string
	delay  time.Duration
	every  time.Duration // A new recipient is asked about.
	visits []time.Duration
	settle time.Duration // After the first visit; 0 if it never is.
}

var greylists = []greylist{
	{"mx.five.test", 5 * time.Minute, time.Hour, []time.Duration{310 * time.Second}, 10 * time.Minute},
	{"mx.hour.test", time.Hour, 6 * time.Hour, []time.Duration{310 * time.Second, 30 * time.Minute, 2 * time.Hour}, 3 * time.Hour},
	{"mx.never.test", 1000 * time.Hour, 24 * time.Hour, []time.Duration{310 * time.Second, 30 * time.Minute, 2 * time.Hour, 6 * time.Hour}, 0},
}

// hosted are the domains of each host that is asked at random, and how many people they have.
var hosted = []struct {
	host            string
	domains, people int
}{
	{sharedHost, 40, 3},
	{googleHost, 8, 6},
	{allHost, 5, 5},
	{harvestHost, 1, 80},
	{companyHost, 1, 160},
	{slowHost, 3, 4},
	{flakyHost, 3, 6},
	{"mx.exim.test", 3, 8},
	{"mx.cpanel.test", 3, 8},
	{"mx.postfix.test", 3, 8},
	{"mx.refused.test", 2, 3},
	{"mx.hole.test", 2, 3},
}

// Domains whose mail hosts are a tale of their own.
const (
	nullDomain    = "null.test"
	goneDomain    = "gone.test"
	brokenDomain  = "broken.test"
	movingDomain  = "moving.test"
	halfHourName  = "halfhour.test"
	dayName       = "day.test"
	witnessDomain = "witness.test"
	witnessAll    = "everyone.witness.test"
	blockDomains  = 4
)

// country is the world of TestTenDays. Who exists is told by the name: u0, u1, … are people that somebody has heard of, and
// every seventh of them is dead; all other names are made up.
func country() mailworld.Spec {
	spec := mailworld.Spec{RTT: 20 * time.Millisecond, NegativeTTL: 10 * time.Minute}
	host := func(h mailworld.Host) { spec.Hosts = append(spec.Hosts, h) }
	domain := func(d mailworld.Domain) { spec.Domains = append(spec.Domains, d) }
	host(mailworld.Host{Name: "mx.egress.test"})
	domain(mailworld.Domain{
		Name: "egress.test", MX: mailworld.MXs("mx.egress.test"), Mailboxes: []string{"probe"}, TXT: []string{"v=spf1 {sources} -all"},
	})
	for i := range plainHosts {
		name := fmt.Sprintf("mx%d.plain.test", i)
		host(mailworld.Host{Name: name})
		for j := range 4 {
			domain(mailworld.Domain{Name: fmt.Sprintf("p%d-%d.test", i, j), MX: mailworld.MXs(name), Rcpt: people})
		}
	}
	for _, name := range portTargets { // Of their own, for these sessions are in nobody's budget.
		host(mailworld.Host{Name: "mx." + name})
		domain(mailworld.Domain{Name: name, MX: mailworld.MXs("mx." + name)})
	}
	for _, h := range oddHosts() {
		host(h)
	}
	for _, h := range hosted {
		for j := range h.domains {
			domain(mailworld.Domain{Name: domainOf(h.host, j), MX: mailworld.MXs(h.host), Rcpt: people, CatchAll: h.host == allHost})
		}
	}
	for _, g := range greylists {
		host(mailworld.Host{
			Name: g.host, Greylist: g.delay, Greylisted: mailworld.Say(450, "4.7.1 <{rcpt}>: Recipient address rejected: Greylisted, please try again later"),
		})
		domain(mailworld.Domain{Name: domainOf(g.host, 0), MX: mailworld.MXs(g.host), Rcpt: people})
	}
	for j := range blockDomains {
		domain(mailworld.Domain{Name: domainOf(blockHost, j), MX: mailworld.MXs(blockHost), Rcpt: people})
	}
	for _, d := range tales() {
		domain(d)
	}
	return spec
}

// oddHosts are hosts that each have a way of their own.
func oddHosts() []mailworld.Host {
	return []mailworld.Host{
		{Name: sharedHost},
		{Name: googleHost},
		{Name: allHost},
		{Name: companyHost},
		{Name: blockHost},
		{Name: witnessHost},
		{Name: oldHost},
		{Name: newHost},
		{Name: harvestHost, Harvest: mailworld.Harvest{Limit: 25, Bits: 24, Then: mailworld.HarvestAccepts}},
		{Name: slowHost, Slow: map[string]time.Duration{"RCPT": 12 * time.Second}},
		{Name: flakyHost, Glitches: []mailworld.Glitch{{On: "RCPT", Nth: 3, Do: mailworld.DoSay, Text: "421 4.3.2 Service shutting down\r\n"}}},
		mailworld.Exim("mx.exim.test"), mailworld.CPanel("mx.cpanel.test"), mailworld.Postfix("mx.postfix.test"),
		{Name: "mx.refused.test", Network: mailworld.RefuseConnect},
		{Name: "mx.hole.test", Network: mailworld.BlackHole},
	}
}

// portTargets are what b's port is tried at.
var portTargets = []string{"port0.test", "port1.test", "port2.test"}

// tales are domains whose answer is the DNS's, or whose mailboxes are asked by the clock.
func tales() []mailworld.Domain {
	return []mailworld.Domain{
		{Name: nullDomain, MX: mailworld.NullMX()},
		{Name: brokenDomain, Fault: mailworld.ServFail},
		{Name: movingDomain, MX: mailworld.MXs(oldHost), Rcpt: people, TTL: time.Hour},
		{Name: witnessHost, TTL: 24 * time.Hour}, // So that only the MX records' own time counts.
		{Name: halfHourName, MX: mailworld.MXs(witnessHost), TTL: 30 * time.Minute},
		{Name: dayName, MX: mailworld.MXs(witnessHost), TTL: 24 * time.Hour},
		{
			Name: witnessDomain, MX: mailworld.MXs(witnessHost), Rcpt: people, Replies: map[string]mailworld.Reply{
				"full":     mailworld.Say(552, "5.2.2 <{rcpt}>: mailbox full"),
				"disabled": mailworld.Say(550, "5.2.1 <{rcpt}>: mailbox disabled, not accepting messages"),
			},
		},
		{Name: witnessAll, MX: mailworld.MXs(witnessHost), CatchAll: true},
	}
}

// sourceAddr is the address of a source: a is 0 and b is 1, and they are in networks of their own.
func sourceAddr(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{127, 77, byte(192 + n), byte(1 + n)})
}

// domainOf is the jth domain of a host.
func domainOf(host string, j int) string {
	return fmt.Sprintf("%s-%d.test", strings.ReplaceAll(strings.TrimPrefix(host, "mx."), ".", "-"), j)
}

// people says who exists.
func people(path string) mailworld.Reply {
	if n, ok := number(path); ok && !deadNumber(n) {
		return mailworld.Say(250, "2.1.5 Ok")
	}
	return mailworld.Reply{}
}

func deadNumber(n int) bool { return n%7 == 6 }

// number is the number of one of the people; made-up names have none.
func number(path string) (n int, ok bool) {
	local, _, _ := strings.Cut(path, "@")
	if _, err := fmt.Sscanf(local, "u%d", &n); err != nil {
		return 0, false
	}
	return n, fmt.Sprint("u", n) == local
}

// dead reports whether an address is known not to exist.
func dead(path string) bool {
	n, ok := number(path)
	return ok && deadNumber(n) || strings.HasSuffix(path, "@"+goneDomain)
}

// population is everybody who is asked about at random.
func population() []string {
	var out []string
	for i := range plainHosts {
		for j := range 4 {
			for n := range 8 {
				out = append(out, fmt.Sprintf("u%d@p%d-%d.test", n, i, j))
			}
		}
	}
	for _, h := range hosted {
		for j := range h.domains {
			for n := range h.people {
				out = append(out, fmt.Sprintf("u%d@%s", n, domainOf(h.host, j)))
			}
		}
	}
	return append(out, "u0@"+nullDomain, "u0@"+goneDomain, "u0@"+brokenDomain)
}
