package mailworld_test

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/mailworld"
)

// play goes through a dialogue, one step a line:
//
//	hello            reads the greeting, says EHLO, reads the reply
//	begin            hello, and MAIL
//	> LINE           sends a line; adjacent ones go in one write; \r\n is added
//	>> BYTES         sends bytes, with Go's escapes
//	< 250 text       reads a reply, of this code and with this text somewhere
//	< EOF, < RST     reads the end of the connection
//	| BYTES          reads exactly these bytes, with Go's escapes
//	@ 3s             checks the time since the dialogue began
//	~ 3s             waits
//	close            closes the connection
func (p *peer) play(script string) {
	p.t.Helper()
	begin := time.Now()
	var flight strings.Builder
	for line := range strings.Lines(script) {
		op, arg, _ := strings.Cut(strings.TrimSpace(line), " ")
		if op == ">" {
			flight.WriteString(arg + "\r\n")
			continue
		}
		if flight.Len() > 0 {
			p.raw(flight.String())
			flight.Reset()
		}
		if op != "" {
			p.step(op, arg, begin)
		}
	}
	if flight.Len() > 0 {
		p.raw(flight.String())
	}
}

func (p *peer) step(op, arg string, begin time.Time) {
	p.t.Helper()
	switch op {
	case "hello":
		p.hello()
	case "begin":
		p.begin()
	case ">>":
		p.raw(unquote(p.t, arg))
	case "<":
		p.reads(arg)
	case "|":
		p.readsBytes(unquote(p.t, arg))
	case "@":
		if got, want := time.Since(begin), duration(p.t, arg); got != want {
			p.t.Errorf("%v have passed, want %v", got, want)
		}
	case "~":
		time.Sleep(duration(p.t, arg)) // In a bubble.
	case "close":
		p.shut()
	default:
		p.t.Fatalf("no such step: %s %s", op, arg)
	}
}

// reads reads one reply, or the end.
func (p *peer) reads(want string) {
	p.t.Helper()
	code, text, err := p.ReadResponse(0)
	switch want {
	case "EOF":
		if !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
			p.t.Fatalf("got %d %q, %v, want the end", code, text, err)
		}
		return
	case "RST":
		if !errors.Is(err, syscall.ECONNRESET) {
			p.t.Fatalf("got %d %q, %v, want a reset", code, text, err)
		}
		return
	}
	if err != nil {
		p.t.Fatalf("got %v, want %s", err, want)
	}
	number, words, _ := strings.Cut(want, " ")
	if strconv.Itoa(code) != number || !strings.Contains(text, words) {
		p.t.Fatalf("got %d %q, want %s", code, text, want)
	}
}

func (p *peer) readsBytes(want string) {
	p.t.Helper()
	got := make([]byte, len(want))
	if n, err := io.ReadFull(p.R, got); err != nil {
		p.t.Fatalf("got %q and %v, want %q", got[:n], err, want)
	}
	if string(got) != want {
		p.t.Fatalf("got %q, want %q", got, want)
	}
}

func unquote(t *testing.T, s string) string {
	t.Helper()
	out, err := strconv.Unquote(`"` + s + `"`)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	return out
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// A case is a host, a dialogue with it, and the violations that it must find: a word of each.
type dialogue struct {
	name       string
	host       func(h *mailworld.Host)
	script     string
	violations []string
}

// playAll plays each dialogue in a bubble of its own.
func playAll(t *testing.T, list []dialogue) {
	t.Helper()
	for _, d := range list {
		t.Run(d.name, func(t *testing.T) {
			var change []func(*mailworld.Host)
			if d.host != nil {
				change = append(change, d.host)
			}
			inMemory(t, spec(change...), func(t *testing.T, w *mailworld.World) {
				p := dial(t, w, 0)
				p.play(d.script)
				_ = p.conn.Close() // Most scripts have closed it.
				time.Sleep(2 * time.Second)
				wantViolations(t, w, d.violations)
			})
		})
	}
}

func wantViolations(t *testing.T, w *mailworld.World, want []string) {
	t.Helper()
	got := w.Violations()
	if len(got) != len(want) {
		t.Errorf("Violations() = %q, want %d: %q", got, len(want), want)
		return
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("violation %d = %q, want %q", i, got[i], want[i])
		}
	}
}

// repeat is a script's part, n times; %d in it is the number.
func repeat(n int, part string) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintln(&b, strings.ReplaceAll(part, "%d", strconv.Itoa(i+1)))
	}
	return b.String()
}
