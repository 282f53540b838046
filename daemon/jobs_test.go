package daemon

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/config"
)

// TestJobsOutliveTheDaemon stops a daemon while it works off a list: what is in flight has the drain timeout, the next
// daemon goes on with the rest, and nobody is asked about twice.
func TestJobsOutliveTheDaemon(t *testing.T) {
	w := smallWorld(t, slowly(5*time.Millisecond))
	dir := shortDir(t)
	load := func() *config.Config {
		cfg := load(t, dir, configText(dir, w))
		unlimited(cfg)
		cfg.Bulk.Window = 16
		return cfg
	}
	var list []string
	for i := range 300 {
		list = append(list, fmt.Sprintf("x%d@example.test", i))
	}
	list[17] = "ada@example.test"
	first := startWith(t, Options{Config: load()})
	job, err := first.client.CreateJobOf(t.Context(), slices.Values(list), client.JobOptions{})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "some rows are done", func() bool {
		j, err := first.client.Job(t.Context(), job.ID)
		return err == nil && j.Done > 20
	})
	if err := first.Stop(context.Background()); err != nil {
		t.Fatalf("Stop() = %v", err)
	}
	asked := len(w.Recipients(""))
	if asked >= len(list) {
		t.Fatalf("all %d rows were asked about before the stop", asked)
	}
	second := startWith(t, Options{Config: load()})
	for j, err := range second.client.WatchJob(t.Context(), job.ID) {
		if err != nil {
			t.Fatal(err)
		}
		job = j
	}
	if job.State != apitype.JobFinished || job.Done != 300 || job.Verdicts.Deliverable != 1 || job.Verdicts.Undeliverable != 299 {
		t.Errorf("at its end: %s with %d done, %+v", job.State, job.Done, job.Verdicts)
	}
	times := map[string]int{}
	for _, a := range w.Recipients("") {
		if times[a]++; times[a] > 1 && slices.Contains(list, a) {
			t.Errorf("%s was asked about %d times", a, times[a])
		}
	}
}

// TestSandboxJobs keeps what it makes away from the state directory, and takes it away at its end.
func TestSandboxJobs(t *testing.T) {
	dir := shortDir(t)
	t.Setenv("TMPDIR", dir)
	cfg := config.Default(false, nil)
	cfg.Socket.Path, cfg.StateDir, cfg.DrainTimeout = dir+"/s", dir+"/state", 0
	r := startWith(t, Options{Config: cfg, Sandbox: true})
	job, err := r.client.CreateJob(t.Context(), strings.NewReader("nobody@sandbox.test\n"), client.JobOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for j, err := range r.client.WatchJob(t.Context(), job.ID) {
		if err != nil {
			t.Fatal(err)
		}
		job = j
	}
	if job.Verdicts.Undeliverable != 1 {
		t.Errorf("at its end: %+v", job)
	}
	if _, err := os.Stat(dir + "/state/jobs"); err == nil {
		t.Error("the sandbox made jobs in the state directory")
	}
	if err := r.Stop(context.Background()); err != nil {
		t.Fatal(err)
	}
	left, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range left {
		if strings.HasPrefix(f.Name(), "verimaild-jobs-") {
			t.Errorf("%s was left behind", f.Name())
		}
	}
}
