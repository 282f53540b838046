package daemon

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime/debug"
	counted "runtime/metrics"
	"time"

	"github.com/verimails/verimaild/config"
)

// Left alone, Go lets the heap grow to twice what lives in it before it collects. A list in work keeps some 70 MB alive,
// and what Badger maps of its files comes on top. So the heap has what a target leaves of what the whole process takes,
// mapped files included. But a soft limit that is too low for what lives has Go collect without end: it follows what lives.

// heapEvery is how often the soft limit is looked at.
const heapEvery = time.Second

// GovernMemory keeps the process's memory near what it needs, until ctx is done. It does nothing where the operator has
// decided by GOMEMLIMIT or GOGC. There may be one at a time in a process.
func (d *Daemon) GovernMemory(ctx context.Context) {
	for _, name := range []string{"GOMEMLIMIT", "GOGC"} {
		if os.Getenv(name) != "" {
			return
		}
	}
	usual := usualMemory(d.boot)
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(usual))
	tick := time.NewTicker(heapEvery)
	defer tick.Stop()
	samples := []counted.Sample{
		{Name: "/gc/heap/live:bytes"},
		{Name: "/memory/classes/total:bytes"},
		{Name: "/memory/classes/heap/objects:bytes"},
		{Name: "/memory/classes/heap/unused:bytes"},
		{Name: "/memory/classes/heap/free:bytes"},
		{Name: "/memory/classes/heap/released:bytes"},
	}
	for limit := usual; ; {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
		counted.Read(samples)
		live, rest := samples[0].Value.Uint64(), samples[1].Value.Uint64()
		for _, s := range samples[2:] {
			rest -= min(rest, s.Value.Uint64()) //nolint:gosec // G602: there are five. What is left is no heap: stacks, and Go's own.
		}
		if next := memoryLimit(usual, mappedFiles(), live, rest); next != limit {
			limit = next
			debug.SetMemoryLimit(limit)
		}
	}
}

// usualMemory is what the process takes with a list in work, in bytes: its code, the two stores, garbage and what is always
// there; what is remembered; and the rows in flight.
func usualMemory(cfg *config.Config) int64 {
	const always, record, row = 128 << 20, 256, 32 << 10
	return always + record*int64(min(cfg.Cache.Entries, 1<<20)) + row*int64(cfg.Bulk.Window)
}

// memoryLimit is the soft limit for a heap in which so much lives, and so much beside it, in a process that has so much of
// files in memory. A quarter of the heap at least is for garbage.
func memoryLimit(usual, mapped int64, live, rest uint64) int64 {
	const step = 4 << 20 // So that it does not change all the time.
	need := (live+live/4+rest)/step*step + step
	return max((usual-mapped)/step*step, int64(min(need, math.MaxInt64)))
}

// mappedFiles is how many bytes of mapped files are in memory; 0 where that is not to be had.
func mappedFiles() int64 {
	b, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		return 0
	}
	var size, resident, shared int64
	if _, err := fmt.Sscan(string(b), &size, &resident, &shared); err != nil {
		return 0
	}
	return shared * int64(os.Getpagesize())
}
