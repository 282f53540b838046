package cache

import (
	"fmt"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/verdict"
)

// filledBench remembers n mailboxes.
func filledBench(b *testing.B, n int) (*bench, []address.Address) {
	b.Helper()
	c := benchOnDisk(b)
	addrs := make([]address.Address, n)
	for i := range addrs {
		a := addr(b, fmt.Sprintf("user%d@company%d.example", i, i/8))
		addrs[i] = a
		if _, err := c.PutMailbox(c.Begin(a), a, sample(a, verdict.MailboxAccepted, start)); err != nil {
			b.Fatal(err)
		}
		if i%1000 == 0 {
			if err := c.Flush(b.Context()); err != nil {
				b.Fatal(err)
			}
		}
	}
	if err := c.Flush(b.Context()); err != nil {
		b.Fatal(err)
	}
	return c, addrs
}

// reportCPU reports the processor time of an operation, which says more than its time on a machine that is shared.
func reportCPU(b *testing.B) func() {
	b.Helper()
	began := cpuTime(b)
	return func() { b.ReportMetric(float64(cpuTime(b)-began)/float64(b.N), "cpu-ns/op") }
}

func cpuTime(b *testing.B) int64 {
	b.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func BenchmarkMemoryHit(b *testing.B) {
	c, addrs := filledBench(b, 1000)
	for _, a := range addrs {
		c.Mailbox(a)
	}
	b.Run("one", func(b *testing.B) {
		b.ReportAllocs()
		i := 0
		for b.Loop() {
			if _, f := c.Mailbox(addrs[i%len(addrs)]); f != fresh {
				b.Fatal("miss")
			}
			i++
		}
	})
	b.Run("parallel", func(b *testing.B) {
		b.ReportAllocs()
		b.RunParallel(func(pb *testing.PB) {
			i := 0
			for pb.Next() {
				if _, f := c.Mailbox(addrs[i%len(addrs)]); f != fresh {
					b.Error("miss")
				}
				i++
			}
		})
	})
	b.Run("domain", func(b *testing.B) {
		c.habit("example.com", false)
		d := domain(b, "example.com")
		b.ReportAllocs()
		for b.Loop() {
			if _, f := c.Domain(d); f != fresh {
				b.Fatal("miss")
			}
		}
	})
}

func BenchmarkDiskHit(b *testing.B) {
	c, addrs := filledBench(b, 200_000)
	c.memory = newMemory(shards, 1) // Next to nothing.
	b.ReportAllocs()
	defer reportCPU(b)()
	i := 0
	for b.Loop() {
		if _, f := c.Mailbox(addrs[i*7919%len(addrs)]); f != fresh {
			b.Fatal("miss")
		}
		i++
	}
}

func BenchmarkMiss(b *testing.B) {
	c, addrs := filledBench(b, 100_000)
	c.memory = newMemory(shards, 1)
	a := make([]address.Address, 1000)
	for i := range a {
		a[i] = addr(b, fmt.Sprintf("nobody%d@%s", i, addrs[i].Domain()))
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if _, f := c.Mailbox(a[i%len(a)]); f != none {
			b.Fatal("hit")
		}
		i++
	}
}

func BenchmarkPut(b *testing.B) {
	c, addrs := filledBench(b, 10_000)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		a := addrs[i%len(addrs)]
		if _, err := c.PutMailbox(c.Begin(a), a, sample(a, verdict.MailboxAccepted, start)); err != nil {
			b.Fatal(err)
		}
		i++
	}
}
