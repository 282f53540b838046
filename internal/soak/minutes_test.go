package soak

import (
	"context"
	"net/http"
	"os"
	"testing"
	"time"
)

// soakEnv is for how long TestTenMinutes looks, once the daemon is warm.
const soakEnv = "SOAK"

const (
	sampleEvery = 3 * time.Second

	// trendFrom is the shortest time that a trend is made out in. In less, the daemon is only looked at.
	trendFrom = 5 * time.Minute
)

// TestTenMinutes has a daemon work for some minutes, and wants nothing of it to grow.
func TestTenMinutes(t *testing.T) {
	length, err := time.ParseDuration(os.Getenv(soakEnv))
	if err != nil {
		t.Skipf("%s is not set to a duration", soakEnv)
	}
	warm := length / 2
	m, end := startTown(t)
	d := startDaemon(t, &m)
	ctx, cancel := context.WithTimeout(t.Context(), warm+length)
	defer cancel()
	l := &load{t: t, d: d}
	l.start(ctx)
	samples := watch(ctx, t, d)
	l.wg.Wait()
	defer http.DefaultClient.CloseIdleConnections()

	idle := settled(t, d)
	d.stop()
	town := end()
	for _, v := range town.Violations {
		t.Errorf("mailworld: %s", v)
	}
	r := newReport(length, warm, samples, idle, l, &town)
	t.Log(r)
	if length >= trendFrom {
		for i := range r.trends {
			if tr := &r.trends[i]; !tr.flat() {
				t.Errorf("it grows: %v", tr)
			}
		}
	}
	if *write && !t.Failed() {
		r.write(t)
	}
}

// watch samples the daemon until ctx is done.
func watch(ctx context.Context, t *testing.T, d *daemon) []sample {
	t.Helper()
	begin := time.Now()
	tick := time.NewTicker(sampleEvery)
	defer tick.Stop()
	var out []sample
	for {
		s, err := take(d, time.Since(begin))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, s)
		select {
		case <-tick.C:
		case err := <-d.exited:
			t.Fatalf("the daemon ended: %v", err)
		case <-ctx.Done():
			return out
		}
	}
}

// settled is what is left some time after the last question: sessions have ended, connections are closed.
func settled(t *testing.T, d *daemon) sample {
	t.Helper()
	const pause = 15 * time.Second
	http.DefaultClient.CloseIdleConnections()
	select {
	case <-time.After(pause):
	case err := <-d.exited:
		t.Fatalf("the daemon ended: %v", err)
	}
	s, err := take(d, 0)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
