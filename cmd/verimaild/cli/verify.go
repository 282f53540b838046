package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/client/apitype"
)

// verifyFlags are the flags of verify.
type verifyFlags struct {
	json, explain, fresh, local, wait bool
	deadline                          time.Duration
	depth, socket, sender, config     string
}

func newVerifyCmd(io stdio) *cobra.Command {
	var f verifyFlags
	cmd := &cobra.Command{
		Use:   "verify ADDRESS...",
		Short: "Ask whether addresses can receive mail",
		Long: `Ask the daemon whether addresses can receive mail, and print one line for each, in the order given.

Exit code: 0 all answered, 4 at least one undeliverable, 5 none undeliverable but at least one unknown,
3 no daemon answers, 2 usage, 1 another failure.`,
		Args: atLeastOne("address"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return verify(cmd.Context(), io, &f, args)
		},
	}
	fl := cmd.Flags()
	fl.BoolVar(&f.json, "json", false, "print each answer as one line of JSON")
	fl.BoolVar(&f.explain, "explain", false, "print the whole way to each answer, dialogue included")
	fl.BoolVar(&f.fresh, "fresh", false, "ask afresh instead of taking an answer remembered for longer than ten minutes")
	fl.BoolVar(&f.wait, "wait", false, "wait out greylisting up to the deadline")
	fl.DurationVar(&f.deadline, "deadline", 30*time.Second, "how long to wait for an answer, at most 10m")
	fl.StringVar(&f.depth, "depth", "smtp", "how far to check: syntax, dns or smtp")
	fl.StringVar(&f.socket, "socket", "", "the daemon's socket")
	fl.BoolVar(&f.local, "local", false, "run the same pipeline in this process, without a daemon")
	fl.StringVar(&f.sender, "sender", "", "with --local: the reverse-path to ask with")
	fl.StringVar(&f.config, "config", "", "with --local: configuration file")
	cmd.MarkFlagsMutuallyExclusive("json", "explain")
	cmd.MarkFlagsMutuallyExclusive("local", "socket")
	return cmd
}

// verify asks about every address and prints the answers in order.
func verify(ctx context.Context, io stdio, f *verifyFlags, addrs []string) error {
	if !f.local && (f.sender != "" || f.config != "") {
		return usageError{fmt.Errorf("--sender and --config go with --local: a daemon has its own")}
	}
	c := client.Client{Socket: f.socket}
	if f.local {
		stop, socket, err := startLocal(ctx, io, f.config, f.sender)
		if err != nil {
			return err
		}
		defer stop()
		c.Socket = socket
	}
	defer c.CloseIdleConnections()
	opts := client.VerifyOptions{Deadline: f.deadline, Depth: f.depth, Wait: f.wait, Fresh: f.fresh, Explain: f.explain}
	code, tooLong := exitOK, 0
	for answer, err := range inOrder(ctx, &c, addrs, opts) {
		refused, ok := errors.AsType[*client.Error](err)
		switch {
		case ok && refused.Status == http.StatusRequestEntityTooLarge: // No address is that long; the others get their answers.
			tooLong++
			fmt.Fprintf(io.err, "verimaild: one address is too long to be asked about: %v\n", err)
			continue
		case ok && refused.Status == http.StatusBadRequest:
			return usageError{err} // An address is never refused otherwise, so it is a flag.
		case err == nil:
			err = f.print(io, &answer)
		}
		if err != nil {
			return err
		}
		code = worse(code, answer.Verdict)
	}
	switch {
	case tooLong > 0:
		return exitError(exitFailure)
	case code != exitOK:
		return exitError(code)
	default:
		return nil
	}
}

// print prints one answer as the flags want it.
func (f *verifyFlags) print(io stdio, a *apitype.Answer) error {
	switch {
	case f.json:
		line, err := json.Marshal(a)
		if err != nil {
			return fmt.Errorf("encode answer: %w", err)
		}
		fmt.Fprintf(io.out, "%s\n", line)
	case f.explain:
		renderExplained(io.out, a)
	default:
		renderLine(io.out, a)
	}
	return nil
}

// worse is the exit code after one more verdict.
func worse(code int, verdict string) int {
	switch {
	case verdict == apitype.Undeliverable:
		return exitUndeliverable
	case verdict == apitype.Unknown && code == exitOK:
		return exitUnknown
	default:
		return code
	}
}

// atOnce is how many addresses of one command are asked about at a time; the daemon paces them in any case.
const atOnce = 32

// A result is one answer, or why there is none.
type result struct {
	answer apitype.Answer
	err    error
}

// inOrder asks about addrs concurrently and yields the answers in the order of addrs.
func inOrder(ctx context.Context, c *client.Client, addrs []string, opts client.VerifyOptions) iter.Seq2[apitype.Answer, error] {
	return func(yield func(apitype.Answer, error) bool) {
		ctx, cancel := context.WithCancel(ctx)
		var wg sync.WaitGroup
		defer wg.Wait()
		defer cancel()
		results := make([]chan result, len(addrs))
		for i := range results {
			results[i] = make(chan result, 1)
		}
		next := make(chan int)
		for range min(atOnce, len(addrs)) {
			wg.Go(func() {
				for i := range next {
					a, err := c.Verify(ctx, addrs[i], opts)
					results[i] <- result{a, err}
				}
			})
		}
		wg.Go(func() {
			defer close(next)
			for i := range addrs {
				select {
				case next <- i:
				case <-ctx.Done():
					return
				}
			}
		})
		yieldAll(ctx, results, yield)
	}
}

// yieldAll yields the results in order.
func yieldAll(ctx context.Context, results []chan result, yield func(apitype.Answer, error) bool) {
	for _, ch := range results {
		select {
		case r := <-ch:
			if !yield(r.answer, r.err) {
				return
			}
		case <-ctx.Done():
			yield(apitype.Answer{}, context.Cause(ctx))
			return
		}
	}
}
