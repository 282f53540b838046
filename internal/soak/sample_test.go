package soak

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// A gauge is one of what is watched, and how much of it may come or go within the time that is looked at before it counts
// as a trend: a part of its median, or an amount that is noise whatever the median.
type gauge struct {
	name  string
	unit  string // As it is plotted.
	scale float64
	noise float64 // In the unit.
	read  func(*daemon, *readings) (float64, error)

	// troughs has only the least of each minute count: what lives in a heap is what is left after a collection.
	troughs bool
}

// part is how much of its median any gauge may move.
const part = 0.05

const mega = 1 << 20

// gauges is all that is watched. The databases are a saw, and each of their teeth is in memory too: what is written is kept
// there as well as in a log, until it becomes a table and both are thrown away; of the durable store that are 8 MB.
var gauges = []gauge{
	{name: "resident memory", unit: "MB", scale: mega, noise: 8, read: status("VmRSS")},
	{name: "of that, anonymous", unit: "MB", scale: mega, noise: 6, read: status("RssAnon")},
	{name: "Go heap", unit: "MB", scale: mega, noise: 3, read: metric("go_memstats_heap_alloc_bytes"), troughs: true},
	{name: "goroutines", scale: 1, noise: 15, read: metric("go_goroutines")},
	{name: "open descriptors", scale: 1, noise: 10, read: descriptors},
	{name: "threads", scale: 1, noise: 2, read: status("Threads")},
	{name: "databases on disk", unit: "MB", scale: mega, noise: 8, read: databases},
}

// readings are what one look at the daemon's metrics has read.
type readings struct {
	values map[string]float64
	bytes  int
}

// A sample is a value of each gauge at a time.
type sample struct {
	at     time.Duration // Since the load began.
	values []float64
}

// take reads all gauges.
func take(d *daemon, at time.Duration) (sample, error) {
	r, err := d.metrics()
	if err != nil {
		return sample{}, err
	}
	s := sample{at: at}
	for i := range gauges {
		v, err := gauges[i].read(d, r)
		if err != nil {
			return sample{}, fmt.Errorf("%s: %w", gauges[i].name, err)
		}
		s.values = append(s.values, v/gauges[i].scale)
	}
	return s, nil
}

// metrics scrapes the daemon as Prometheus does.
func (d *daemon) metrics() (*readings, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+d.scrape+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	r := &readings{values: map[string]float64{}, bytes: len(body)}
	for sc := bufio.NewScanner(bytes.NewReader(body)); sc.Scan(); {
		name, value, ok := strings.Cut(sc.Text(), " ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil && name != "#" {
			r.values[name] = v
		}
	}
	return r, nil
}

// metric reads one of the daemon's metrics.
func metric(name string) func(*daemon, *readings) (float64, error) {
	return func(_ *daemon, r *readings) (float64, error) {
		v, ok := r.values[name]
		if !ok {
			return 0, fmt.Errorf("no metric %s", name)
		}
		return v, nil
	}
}

// status reads a line of /proc/PID/status, in bytes where it is in kB.
func status(key string) func(*daemon, *readings) (float64, error) {
	return func(d *daemon, _ *readings) (float64, error) {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", d.cmd.Process.Pid))
		if err != nil {
			return 0, err
		}
		for line := range strings.Lines(string(b)) {
			name, value, _ := strings.Cut(line, ":")
			if fields := strings.Fields(value); name == key {
				n, err := strconv.ParseFloat(fields[0], 64)
				if len(fields) > 1 {
					n *= 1 << 10
				}
				return n, err
			}
		}
		return 0, fmt.Errorf("no %s in /proc", key)
	}
}

func descriptors(d *daemon, _ *readings) (float64, error) {
	list, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", d.cmd.Process.Pid))
	return float64(len(list)), err
}

// databases is the room that both stores take, as allocated: Badger's logs are sparse.
func databases(d *daemon, _ *readings) (float64, error) {
	var n int64
	err := filepath.WalkDir(filepath.Join(d.dir, "state"), func(_ string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return nil //nolint:nilerr // A compaction removed it.
		}
		if fi, err := e.Info(); err == nil {
			if st, ok := fi.Sys().(*syscall.Stat_t); ok {
				n += st.Blocks * 512
			}
		}
		return nil
	})
	return float64(n), err
}
