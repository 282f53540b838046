package cli

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/internal/mailworld"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"verimaild": func() { os.Exit(Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr)) },
		"mailworld": func() { os.Exit(runWorld()) },
	})
}

// TestScripts runs the scripts of testdata/script, each with a directory, a home and a socket of its own.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		Setup: func(env *testscript.Env) error {
			dir, err := os.MkdirTemp("", "vm") // A socket's path is short.
			if err != nil {
				return err
			}
			env.Defer(func() { _ = os.RemoveAll(dir) })
			for name, value := range map[string]string{
				"SHORT": dir, "HOME": dir, "XDG_RUNTIME_DIR": dir, "XDG_STATE_HOME": "", "XDG_CONFIG_HOME": "",
				"VERIMAILD_SOCKET": dir + "/s", "VERIMAILD_CONFIG": "",
			} {
				env.Setenv(name, value)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"await": await, "code": code, "edit": edit, "send": send,
		},
	})
}

// runWorld is the helper command mailworld: it runs a world until it is told to stop, and writes a daemon's
// configuration for it to verimaild.yaml in the working directory. With an argument, that is the sender.
func runWorld() int {
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, os.Interrupt, syscall.SIGTERM)
	w, err := mailworld.Start(mailworld.Spec{
		Hosts: []mailworld.Host{
			{Name: "mx.example.test"},
			{Name: "mx.block.test", Blocks: []mailworld.Block{{At: mailworld.AtConnect}}},
			{Name: "mx.mute.test", Network: mailworld.Mute},
		},
		Domains: []mailworld.Domain{
			{Name: "example.test", MX: mailworld.MXs("mx.example.test"), Mailboxes: []string{"ada", "grace"}},
			{Name: "block.test", MX: mailworld.MXs("mx.block.test")},
			{Name: "mute.test", MX: mailworld.MXs("mx.mute.test")},
		},
	})
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	text := fmt.Sprintf(`socket: {path: %s/s}
state_dir: %[1]s/state
resolver: {servers: ["%[2]s"], timeout: 500ms}
drain_timeout: 1s
egress:
  sender: probe@source0.egress.test
  port: %[3]d
  allow_networks: [127.0.0.0/8]
  sources: [{name: a, ipv4: %[4]v, ehlo: source0.egress.test}]
  dials_per_second: 0
  source_limits: {sessions: 0, dials_per_minute: 0}
  limits: {ramp: false, dial_interval: 0, sessions_per_hour: 0, refusals_per_hour: 0, controls_per_hour: 0,
           refusal_ratio: 0, probes_per_minute: 0}
`, os.Getenv("SHORT"), w.DNSAddr(), w.Port(), w.SourceAddr(0))
	if err = os.WriteFile("world.tmp", []byte(text), 0o600); err == nil {
		err = os.Rename("world.tmp", "verimaild.yaml") // So that who waits for it finds all of it.
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	<-stop
	if err := w.Close(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	for _, v := range w.Violations() {
		fmt.Fprintln(os.Stderr, v)
	}
	return min(1, len(w.Violations()))
}

// await waits for a file, for a daemon that answers, or for one that is ready: "await FILE", "await daemon", "await ready".
func await(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: await FILE|daemon|ready")
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	c := client.Client{Socket: ts.Getenv("VERIMAILD_SOCKET"), MaxRetries: -1}
	defer c.CloseIdleConnections()
	there := func() bool {
		switch args[0] {
		case "daemon":
			return c.Health(ctx) == nil
		case "ready":
			r, err := c.Ready(ctx)
			return err == nil && r.Ready
		default:
			_, err := os.Stat(ts.MkAbs(args[0]))
			return err == nil
		}
	}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for !there() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			ts.Fatalf("waited in vain for %s", args[0])
		}
	}
}

// send sends a signal to a command in the background, known by one of its arguments: "send HUP serve".
func send(ts *testscript.TestScript, neg bool, args []string) {
	signals := map[string]os.Signal{"HUP": syscall.SIGHUP, "INT": os.Interrupt, "TERM": syscall.SIGTERM, "KILL": os.Kill}
	if neg || len(args) != 2 || signals[args[0]] == nil {
		ts.Fatalf("usage: send HUP|INT|TERM|KILL COMMAND")
	}
	for _, cmd := range ts.BackgroundCmds() {
		if filepath.Base(cmd.Args[0]) == args[1] || slices.Contains(cmd.Args[1:], args[1]) {
			ts.Check(cmd.Process.Signal(signals[args[0]]))
			return
		}
	}
	ts.Fatalf("no command %s in the background", args[1])
}

// code runs a command and checks its exit code: "code 4 verimaild verify …".
func code(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: code N COMMAND…")
	}
	got := "0"
	if err := ts.Exec(args[1], args[2:]...); err != nil {
		got = strings.TrimPrefix(err.Error(), "exit status ")
	}
	if got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
}

// edit replaces text in a file: "edit FILE OLD NEW".
func edit(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: edit FILE OLD NEW")
	}
	text := ts.ReadFile(args[0])
	if !strings.Contains(text, args[1]) {
		ts.Fatalf("%s has no %q", args[0], args[1])
	}
	path := ts.MkAbs(args[0])
	ts.Check(os.WriteFile(path, []byte(strings.Replace(text, args[1], args[2], 1)), 0o600))
}
