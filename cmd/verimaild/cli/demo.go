package cli

import (
	"context"
	"fmt"
	"slices"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"
	"go.uber.org/zap"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/daemon"
)

func newDemoCmd(io stdio) *cobra.Command {
	var keep bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Verify a sample list against an embedded world of mail servers",
		Long: `Start a small world of mail servers on loopback and a daemon on a temporary socket, verify a list of
addresses through the socket as an application would, and show what came of it.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return demo(cmd.Context(), io, keep) },
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "leave the daemon serving, and print how to ask it")
	return cmd
}

// demo runs the main job from end to end.
func demo(ctx context.Context, io stdio, keep bool) error {
	cfg := config.Default(false, nil)
	d, stop, err := startPrivate(ctx, daemon.Options{Config: cfg, Sandbox: true, Logger: zap.NewNop()})
	if err != nil {
		return err
	}
	defer stop()
	c := client.Client{Socket: d.Socket()}
	defer c.CloseIdleConnections()

	samples := demoSamples()
	addrs := make([]string, len(samples))
	for i, s := range samples {
		addrs[i] = s.Address
	}
	fmt.Fprintf(io.out, "Asking about %d addresses in the sandbox, through %s\n\n", len(addrs), d.Socket())
	start := time.Now()
	var answers []apitype.Answer
	opts := client.VerifyOptions{Deadline: demoDeadline}
	for a, err := range inOrder(ctx, &c, addrs, opts) {
		if err != nil {
			return err
		}
		answers = append(answers, a)
	}
	demoTable(io, answers)
	demoDialogue(io, answers)
	demoPool(io, d, len(answers), time.Since(start))
	if !keep {
		return nil
	}
	fmt.Fprintf(io.out, "\nServing until Ctrl-C. Ask it yourself:\n  curl --unix-socket %s 'http://localhost/v1/verify?email=ada@sandbox.test'\n", d.Socket())
	<-ctx.Done()
	return nil
}

// demoDeadline is short, so that the addresses whose servers stay silent do not hold up the show.
const demoDeadline = 8 * time.Second

// demoSamples is the sandbox's addresses, and some that need no mail server.
func demoSamples() []daemon.Sample {
	samples := slices.Clone(daemon.Samples())
	for _, a := range []string{"not an address", "ada@gmial.com", "grace@sandbox.test", "linus@catchall.sandbox.test"} {
		samples = append(samples, daemon.Sample{Address: a})
	}
	return samples
}

// demoTable prints every answer, by verdict, and a count.
func demoTable(io stdio, answers []apitype.Answer) {
	sorted := slices.Clone(answers)
	order := []string{apitype.Deliverable, apitype.Risky, apitype.Undeliverable, apitype.Unknown}
	slices.SortStableFunc(sorted, func(a, b apitype.Answer) int {
		return slices.Index(order, a.Verdict) - slices.Index(order, b.Verdict)
	})
	count := map[string]int{}
	w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "VERDICT\tREASON\tABOUT THE\tADDRESS")
	for _, a := range sorted {
		count[a.Verdict]++
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", a.Verdict, a.Reason, a.Subject, printable(a.Email))
	}
	w.Flush()
	fmt.Fprintln(io.out)
	for _, v := range order {
		fmt.Fprintf(io.out, "%d %s   ", count[v], v)
	}
	fmt.Fprintln(io.out)
}

// demoDialogue prints the whole way to one answer: the first that took a control probe.
func demoDialogue(io stdio, answers []apitype.Answer) {
	at := slices.IndexFunc(answers, func(a apitype.Answer) bool {
		return a.Reason == "mailbox_accepted" && len(a.Evidence) == 2
	})
	if at < 0 {
		return
	}
	fmt.Fprintln(io.out, "\nOne of them, with what was said:")
	fmt.Fprintln(io.out)
	renderExplained(io.out, &answers[at])
}

// demoPool prints what the pool did.
func demoPool(io stdio, d *daemon.Daemon, answers int, took time.Duration) {
	st := d.PoolStats()
	fmt.Fprintf(io.out, "\nThe pool: %d answers in %.1f s; %d sessions opened, %d transactions, %d recipients asked about, %d refused",
		answers, took.Seconds(), st.SessionsOpened, st.Transactions, st.Recipients, st.Refusals)
	if st.SessionsOpened > 0 {
		fmt.Fprintf(io.out, "; %.1f recipients a session", float64(st.Recipients)/float64(st.SessionsOpened))
	}
	fmt.Fprintln(io.out, ". Never a message, always QUIT.")
}
