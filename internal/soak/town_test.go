package soak

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
)

// townEnv makes a process of the test binary the mail world.
const townEnv = "SOAK_TOWN"

// What there is in the town. Each domain has as many people as anybody asks about.
const (
	townHosts   = 24
	townDomains = 240
)

// town is a world whose people are told by their names: those that begin with "live" exist.
func town() mailworld.Spec {
	spec := mailworld.Spec{
		CountersOnly: true, RTT: time.Millisecond,
		Hosts:   []mailworld.Host{{Name: "mx.egress.test"}},
		Domains: []mailworld.Domain{{Name: "egress.test", MX: mailworld.MXs("mx.egress.test"), TXT: []string{"v=spf1 {sources} -all"}, Mailboxes: []string{"probe"}}},
	}
	for i := range townHosts {
		spec.Hosts = append(spec.Hosts, townHost(i))
	}
	for i := range townDomains {
		d := mailworld.Domain{
			Name: townDomain(i), MX: mailworld.MXs(fmt.Sprintf("mx%d.town.test", i%townHosts)), Rcpt: townPeople, TTL: time.Minute,
			CatchAll: i%20 == 7,
		}
		if i%60 == 11 {
			d.MX, d.Fault = nil, mailworld.NXDomain
		}
		spec.Domains = append(spec.Domains, d)
	}
	return spec
}

func townDomain(i int) string { return fmt.Sprintf("d%d.test", i%townDomains) }

// townHost is one of the hosts: most are plain, some speak TLS, some are slow, put strangers off, or have limits.
func townHost(i int) mailworld.Host {
	h := mailworld.Host{Name: fmt.Sprintf("mx%d.town.test", i)}
	switch i % 8 {
	case 1:
		h.TLS.Mode = mailworld.TLSOn
	case 2:
		h = mailworld.Postfix(h.Name)
	case 3:
		h = mailworld.Exim(h.Name)
	case 4:
		h.Slow = map[string]time.Duration{"RCPT": 150 * time.Millisecond}
	case 5:
		h.Pipelining = mailworld.PipeliningOff
	case 6:
		if i < 8 {
			h.Greylist = 20 * time.Second
			h.Greylisted = mailworld.Say(450, "4.7.1 <{rcpt}>: Recipient address rejected: Greylisted, retry in 20 seconds")
		}
	case 7:
		h.Glitches = []mailworld.Glitch{{On: "RCPT", Nth: 5, Do: mailworld.DoSay, Text: "421 4.3.2 Service shutting down\r\n"}}
	}
	return h
}

func townPeople(path string) mailworld.Reply {
	if strings.HasPrefix(path, "live") {
		return mailworld.Say(250, "2.1.5 Ok")
	}
	return mailworld.Reply{}
}

// A map of the town, for those who do not live in its process.
type townMap struct {
	DNS     string
	Port    int
	Sources [2]string
}

// A townLog is what the town has to say at its end.
type townLog struct {
	Counts     mailworld.Counts
	Violations []string
}

// runTown is the town's process: it says where it is, and when its input ends, what it saw.
func runTown(in io.Reader, out io.Writer) error {
	w, err := mailworld.Start(town())
	if err != nil {
		return err
	}
	defer w.Close()
	enc := json.NewEncoder(out)
	m := townMap{DNS: w.DNSAddr(), Port: w.Port(), Sources: [2]string{w.SourceAddr(0).String(), w.SourceAddrIn(1, 1).String()}}
	if err := enc.Encode(m); err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, in); err != nil {
		return err
	}
	return enc.Encode(townLog{Counts: w.Counts(), Violations: w.Violations()})
}

// startTown starts the town's process; end ends it, and is what it saw.
func startTown(t *testing.T) (m townMap, end func() townLog) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), townEnv+"=1")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { // After end, neither does anything.
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	dec := json.NewDecoder(bufio.NewReader(out))
	if err := dec.Decode(&m); err != nil {
		t.Fatal(err)
	}
	return m, func() (log townLog) {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
		if err := dec.Decode(&log); err != nil {
			t.Error(err)
		}
		if err := cmd.Wait(); err != nil {
			t.Error(err)
		}
		return log
	}
}
