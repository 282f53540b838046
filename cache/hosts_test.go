package cache

import (
	"reflect"
	"testing"
	"time"

	"github.com/verimails/verimaild/verify/maildns"
	"github.com/verimails/verimaild/verify/verdict"
)

// wantHosts checks what is remembered of example.com's mail hosts, in memory and on disk.
func (b *bench) wantHosts(s maildns.Status, f verdict.Freshness) {
	b.t.Helper()
	for _, tier := range []string{"first", "disk", "memory"} {
		got, fresh := b.Hosts(domain(b.t, "example.com"))
		if got.Status != s || fresh != f {
			b.t.Errorf("%s look-up = %q, %v, want %q, %v", tier, got.Status, fresh, s, f)
		}
		if tier == "first" {
			b.emptyMemory()
		}
	}
}

func (b *bench) putStatus(s maildns.Status, ttl time.Duration) {
	b.t.Helper()
	m := found(domain(b.t, "example.com"), b.clock.now())
	m.Status, m.TTL = s, ttl
	if s != maildns.Found {
		m.Hosts = nil
	}
	b.PutHosts(b.BeginDomain(m.Domain), m)
}

func TestHostsAges(t *testing.T) {
	tests := []struct {
		name       string
		status     maildns.Status
		ttl        time.Duration
		soft, hard time.Duration
	}{
		{"found", maildns.Found, time.Hour, time.Hour, day},
		{"found, short TTL", maildns.Found, time.Second, 5 * time.Minute, day},
		{"found, long TTL", maildns.Found, 7 * day, 6 * time.Hour, day},
		{"null MX", maildns.NullMX, time.Hour, time.Hour, day},
		{"no such domain", maildns.DomainNotFound, 20 * time.Minute, 0, 20 * time.Minute},
		{"no such domain, long TTL", maildns.DomainNotFound, day, 0, time.Hour},
		{"no such domain, no TTL", maildns.DomainNotFound, 0, 0, 2 * time.Minute},
		{"no mail host", maildns.NoMailHost, 20 * time.Minute, 0, 20 * time.Minute},
		{"unroutable", maildns.Unroutable, day, 0, time.Hour},
		{"timeout", maildns.Timeout, 0, 0, 2 * time.Minute},
		{"failure", maildns.Failure, time.Hour, 0, 2 * time.Minute},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := newBench(t)
			b.putStatus(tt.status, tt.ttl)
			b.wantHosts(tt.status, fresh)
			if tt.soft > 0 {
				b.clock.advance(tt.soft - time.Second)
				b.wantHosts(tt.status, fresh)
				b.clock.advance(time.Second)
				b.wantHosts(tt.status, stale)
			}
			b.clock.advance(tt.hard - tt.soft - time.Second)
			if tt.soft > 0 {
				b.wantHosts(tt.status, stale)
			} else {
				b.wantHosts(tt.status, fresh)
			}
			b.clock.advance(time.Second)
			b.wantHosts("", none)
		})
	}
}

func TestStaleIfError(t *testing.T) {
	b := newBench(t)
	b.putStatus(maildns.Found, time.Hour)
	b.clock.advance(2 * time.Hour)
	b.wantHosts(maildns.Found, stale)
	b.putStatus(maildns.Timeout, 0)
	b.wantHosts(maildns.Found, fresh) // Asked a moment ago, in vain.
	b.clock.advance(2 * time.Minute)
	b.wantHosts(maildns.Found, stale)
	b.putStatus(maildns.Failure, 0)
	b.clock.advance(22*time.Hour - 3*time.Minute)
	b.wantHosts(maildns.Found, stale)
	b.clock.advance(time.Minute)
	b.wantHosts("", none)
	b.putStatus(maildns.Failure, 0)
	b.wantHosts(maildns.Failure, fresh)
	b.putStatus(maildns.Timeout, 0)
	b.wantHosts(maildns.Timeout, fresh) // A failure replaces a failure.
}

func TestDefiniteAnswersOfTheDNSReplace(t *testing.T) {
	b := newBench(t)
	b.putStatus(maildns.Found, time.Hour)
	b.putStatus(maildns.DomainNotFound, time.Hour)
	b.wantHosts(maildns.DomainNotFound, fresh)
	b.putStatus(maildns.Timeout, 0)
	b.wantHosts(maildns.DomainNotFound, fresh)
	b.putStatus(maildns.NullMX, time.Hour)
	b.wantHosts(maildns.NullMX, fresh)
	b.putStatus(maildns.Found, time.Hour)
	b.wantHosts(maildns.Found, fresh)
}

func TestHostsSurviveWhole(t *testing.T) {
	b := newBench(t)
	want := found(domain(t, "example.com"), start)
	want.Detail, want.Implicit = "something", true
	b.PutHosts(b.BeginDomain(want.Domain), want)
	for _, tier := range []string{"memory", "disk"} {
		if got, _ := b.Hosts(want.Domain); !reflect.DeepEqual(got, want) {
			t.Errorf("from %s: %+v, want %+v", tier, got, want)
		}
		b.emptyMemory()
	}
}

func TestHostsOfNoDomain(t *testing.T) {
	b := newBench(t)
	b.PutHosts(b.Begin(addr(t, ada)), maildns.MailHosts{Status: maildns.Found})
	if s := b.Stats(); s.Bad != 0 || s.Entries != 0 {
		t.Errorf("Stats() = %+v, want nothing stored", s)
	}
}
