package preflight

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// port tries whether mail servers can be reached. One connection is enough to know that they can; only if that fails are
// two more servers tried, and then, for comparison, something else.
func (x *exam) port(ctx context.Context, id *identity) finding {
	if x.known != nil {
		if f, ok := x.known(id); ok {
			return f
		}
	}
	var first []target
	for t := range x.portTargets(ctx, id.family) {
		first = append(first, t)
		break
	}
	tried := x.attempts(ctx, id, first)
	if len(tried) > 0 && tried[0].outcome != connected {
		others := slices.Collect(x.portTargets(ctx, id.family))[1:]
		tried = append(tried, x.attempts(ctx, id, others)...)
	}
	f := x.judgePort(ctx, id, tried)
	f.tried = time.Now()
	return f
}

// attempts tries several mail servers at once.
func (x *exam) attempts(ctx context.Context, id *identity, targets []target) []attempt {
	out := make([]attempt, len(targets))
	var wg sync.WaitGroup
	for i, t := range targets {
		wg.Go(func() { out[i] = x.attempt(ctx, id, t.name, netip.AddrPortFrom(t.addr, x.opts.Port)) })
	}
	wg.Wait()
	return out
}

// judgePort says what follows from the attempts at mail servers.
func (x *exam) judgePort(ctx context.Context, id *identity, tried []attempt) finding {
	answer := func(st State, what, advice string) finding { return id.finding(CheckPort, Error, st, what, advice) }
	var silent, refused, local []string
	for _, a := range tried {
		switch a.outcome {
		case connected:
			what := fmt.Sprintf("port %d is open: %s", x.opts.Port, a.text)
			if others := slices.Concat(silent, refused); len(others) > 0 {
				what += fmt.Sprintf("; %s cannot be reached, which is a matter of theirs", strings.Join(others, " and "))
			}
			return answer(OK, what, "")
		case timedOut, unreachable:
			silent = append(silent, a.name)
		case turnedDown:
			refused = append(refused, a.name)
		default:
			local = append(local, a.text)
		}
	}
	names := strings.Join(slices.Concat(silent, refused), ", ")
	blocked := "Ask the provider of this host to open port " + fmt.Sprint(x.opts.Port) +
		" outwards, and see that no firewall of your own closes it."
	switch {
	case len(local) > 0:
		return answer(Unknown, "port "+fmt.Sprint(x.opts.Port)+" could not be tried: "+local[0], "")
	case len(silent)+len(refused) < enough:
		return answer(Unknown, fmt.Sprintf("only %d mail servers could be tried on port %d, too few to tell", len(tried), x.opts.Port),
			"See whether the resolver answers, and whether preflight.port_targets has three domains with addresses of this family.")
	case len(silent) == 0:
		return answer(Bad, fmt.Sprintf("port %d is closed: %s all refuse the connection", x.opts.Port, names), blocked)
	}
	if other, ok := x.networkWorks(ctx, id); ok {
		return answer(Bad, fmt.Sprintf("port %d is closed: none of %s can be reached, while %s can", x.opts.Port, names, other), blocked)
	}
	return answer(Unknown, fmt.Sprintf("none of %s can be reached on port %d, and nothing else can either", names, x.opts.Port),
		"See whether this host reaches the Internet from this address at all.")
}

// networkWorks tries whether anything but port 25 can be reached.
func (x *exam) networkWorks(ctx context.Context, id *identity) (name string, ok bool) {
	for _, hp := range x.opts.NetworkTargets {
		to, ok := x.networkTarget(ctx, hp, id.family)
		if !ok {
			continue
		}
		if a := x.attempt(ctx, id, hp, to); a.outcome == connected || a.outcome == turnedDown {
			return hp, true
		}
	}
	return "", false
}

// An outcome is how an attempt to connect ended.
type outcome uint8

const (
	failedHere  outcome = iota // It tells nothing of the network.
	connected                  // Somebody took the connection.
	turnedDown                 // Somebody, or a firewall, refused it.
	timedOut                   // Nobody answered.
	unreachable                // A router said that there is no way.
)

// An attempt is one connection that was tried.
type attempt struct {
	name    string
	outcome outcome
	text    string // What came of it, in words.
}

// attempt connects once. A mail server gets its QUIT.
func (x *exam) attempt(ctx context.Context, id *identity, name string, to netip.AddrPort) attempt {
	limited, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	c, err := x.opts.Dial(limited, id.Source, id.local, to)
	if err != nil {
		return attempt{name, outcomeOf(ctx, err), sayable(err.Error())}
	}
	text := name + " took the connection"
	if to.Port() != x.opts.Port {
		_ = c.Close() // Nothing was said on it.
		return attempt{name, connected, text}
	}
	if greeting := farewell(ctx, c); greeting != "" && !strings.HasPrefix(greeting, "220") {
		text += " with the words " + sayable(greeting)
	}
	return attempt{name, connected, text}
}

// outcomeOf reads the error of a connection that failed while ctx was in force. EACCES and EPERM are what a firewall on
// this host answers with.
func outcomeOf(ctx context.Context, err error) outcome {
	is := func(errs ...error) bool {
		return slices.ContainsFunc(errs, func(e error) bool { return errors.Is(err, e) })
	}
	timeout, isNet := errors.AsType[net.Error](err)
	switch {
	case ctx.Err() != nil:
		return failedHere
	case is(syscall.ECONNREFUSED, syscall.ECONNRESET, syscall.EACCES, syscall.EPERM):
		return turnedDown
	case is(syscall.ENETUNREACH, syscall.EHOSTUNREACH, syscall.ENETDOWN, syscall.EHOSTDOWN):
		return unreachable
	case is(syscall.ETIMEDOUT, context.DeadlineExceeded, os.ErrDeadlineExceeded), isNet && timeout.Timeout():
		return timedOut
	default:
		return failedHere
	}
}
