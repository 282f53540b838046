package cli

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
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
addresses through the socket as an application would, and show what came of it. It needs no root, no network and
no configuration, and takes some seconds.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return demo(cmd.Context(), io, keep) },
	}
	cmd.Flags().BoolVar(&keep, "keep", false, "leave the daemon serving, and print how to ask it")
	return cmd
}

// demo runs the main job from end to end.
func demo(ctx context.Context, io stdio, keep bool) error {
	cfg := config.Default(false, nil)
	cfg.Sandbox.Memory = true
	d, stop, err := startPrivate(ctx, daemon.Options{Config: cfg, Sandbox: true, Logger: zap.NewNop()}, io)
	if err != nil {
		return err
	}
	defer stop()
	c := client.Client{Socket: d.Socket()}
	defer c.CloseIdleConnections()

	samples := demoSamples()
	fmt.Fprintf(io.out, "A daemon, and some %d mail servers on 127.0.0.0/8 for it to ask; nothing leaves this machine.\n"+
		"Sending it a list of %d addresses through its socket, as an application would …\n", len(daemon.Samples()), len(samples))
	start := time.Now()
	one, err := c.Verify(ctx, shownInFull, client.VerifyOptions{Deadline: demoDeadline, Explain: true})
	if err != nil {
		return err
	}
	answers, err := demoJob(ctx, io, &c, addressesOf(samples))
	if err != nil {
		return err
	}
	took := time.Since(start)
	fmt.Fprintln(io.out)
	demoTable(io, samples, answers)
	fmt.Fprint(io.out, "\nOne of them, asked about by itself, with all that was said:\n\n")
	renderExplained(io.out, &one)
	demoPool(io, d.PoolStats(), len(answers), took)
	if err := demoAgain(ctx, io, &c, answers); err != nil {
		return err
	}
	if !keep {
		fmt.Fprintln(io.out, "\nTo ask it yourself: verimaild demo --keep")
		return nil
	}
	fmt.Fprintf(io.out, "\nServing until Ctrl-C. Ask it yourself, from another terminal:\n"+
		"  curl --unix-socket %[1]s 'http://localhost/v1/verify?email=ada@sandbox.test'\n"+
		"  verimaild verify --explain --socket %[1]s ada@sandbox.test anyone@greylist.sandbox.test\n", d.Socket())
	<-ctx.Done()
	return nil
}

// demoJob has a job work off a list, shows how it gets on, and returns what came of each address.
func demoJob(ctx context.Context, io stdio, c *client.Client, addrs []string) ([]apitype.Answer, error) {
	// Greylisting would take minutes; here its first answer is what there is to see.
	job, err := c.CreateJobOf(ctx, slices.Values(addrs), client.JobOptions{Name: "demo", Impatient: true})
	if err != nil {
		return nil, err
	}
	if _, err := follow(ctx, io.out, c, job.ID); err != nil {
		return nil, err
	}
	var answers []apitype.Answer
	for row, err := range c.JobRows(ctx, job.ID, client.ResultsOptions{}) {
		if err != nil {
			return nil, err
		}
		answers = append(answers, apitype.Answer{
			Email: addrs[len(answers)], Verdict: row.Verdict, Reason: row.Reason, DidYouMean: row.DidYouMean,
		})
	}
	return answers, nil
}

// demoDeadline is beyond what any of the samples takes.
const demoDeadline = 12 * time.Second

// demoAsk asks about all addresses.
func demoAsk(ctx context.Context, c *client.Client, addrs []string) ([]apitype.Answer, error) {
	var answers []apitype.Answer
	for a, err := range inOrder(ctx, c, addrs, client.VerifyOptions{Deadline: demoDeadline}) {
		if err != nil {
			return nil, err
		}
		answers = append(answers, a)
	}
	return answers, nil
}

// shownInFull is the sample whose dialogue is shown.
const shownInFull = "anyone@starttls.sandbox.test"

// demoNames are the addresses of the sandbox that make a list such as an application has, of everything some: what is
// before the @ of sandbox.test, and what is before .sandbox.test.
var (
	demoNames   = "deliverable ada ada+news slow+3s jürgen busy nobody full disabled moved refused greylisted tempfail cannotverify info"
	demoDomains = "catchall nullmx notfound unroutable dnsfailure unverifiable suppressed blocked noptr ratelimited " +
		"harvest senderrefused greylist busy refused disconnected starttls nopipelining"
)

// demoSamples is a choice of the sandbox's addresses, and some that need no mail server.
func demoSamples() []daemon.Sample {
	wanted := map[string]bool{}
	for name := range strings.FieldsSeq(demoNames) {
		wanted[name+"@sandbox.test"] = true
	}
	for name := range strings.FieldsSeq(demoDomains) {
		wanted["anyone@"+name+".sandbox.test"] = true
	}
	samples := slices.DeleteFunc(slices.Clone(daemon.Samples()), func(s daemon.Sample) bool { return !wanted[s.Address] })
	return append(samples,
		daemon.Sample{Address: "not an address", Meaning: "No question for any server."},
		daemon.Sample{Address: "ada@gmial.com", Meaning: "Outside this world."})
}

func addressesOf(samples []daemon.Sample) []string {
	addrs := make([]string, len(samples))
	for i, s := range samples {
		addrs[i] = s.Address
	}
	return addrs
}

// verdicts are the four, in the order in which they are shown.
var verdicts = []string{apitype.Deliverable, apitype.Risky, apitype.Undeliverable, apitype.Unknown}

// demoTable prints every answer by verdict and reason, beside what is behind the address.
func demoTable(io stdio, samples []daemon.Sample, answers []apitype.Answer) {
	type row struct {
		apitype.Answer
		behind string
	}
	rows := make([]row, len(answers))
	for i, a := range answers {
		rows[i] = row{a, samples[i].Meaning}
		if a.DidYouMean != "" {
			rows[i].behind = "Did you mean " + a.DidYouMean + "? " + rows[i].behind
		}
	}
	slices.SortStableFunc(rows, func(a, b row) int {
		return cmp.Or(slices.Index(verdicts, a.Verdict)-slices.Index(verdicts, b.Verdict), cmp.Compare(a.Reason, b.Reason))
	})
	count := map[string]int{}
	w := tabwriter.NewWriter(io.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "VERDICT\tREASON\tADDRESS\tWHAT IS BEHIND IT")
	for _, r := range rows {
		count[r.Verdict]++
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", r.Verdict, r.Reason, printable(r.Email), shorten(r.behind))
	}
	_ = w.Flush() // As with every write to standard output.
	fmt.Fprintln(io.out)
	for i, v := range verdicts {
		fmt.Fprintf(io.out, "%s%d %s", []string{"", ", ", ", ", " and "}[i], count[v], v)
	}
	fmt.Fprintln(io.out, ". What cannot be known is unknown, with the reason and the time to ask again.")
}

// shorten cuts a sentence at a word, so that a row stays a line.
func shorten(s string) string {
	const most = 60
	if len(s) <= most {
		return s
	}
	cut := strings.LastIndexByte(s[:most], ' ')
	return strings.TrimRight(s[:cut], " ,:;") + " …"
}

// demoPool prints what the pool did.
func demoPool(io stdio, st daemon.PoolStats, answers int, took time.Duration) {
	fmt.Fprintf(io.out, "\nThe pool: %d answers in %.1f s; %d sessions opened, %d transactions, %d recipients asked about (controls\n"+
		"included), %d of them refused", answers, took.Seconds(), st.SessionsOpened, st.Transactions, st.Recipients, st.Refusals)
	if st.SessionsOpened > 0 {
		fmt.Fprintf(io.out, "; %.1f recipients a session", float64(st.Recipients)/float64(st.SessionsOpened))
	}
	fmt.Fprintln(io.out, ". Never a message, always QUIT.")
}

// demoAgain asks once more about what is known now.
func demoAgain(ctx context.Context, io stdio, c *client.Client, answers []apitype.Answer) error {
	var known []string
	for _, a := range answers {
		if a.Verdict != apitype.Unknown {
			known = append(known, a.Email)
		}
	}
	start := time.Now()
	again, err := demoAsk(ctx, c, known)
	if err != nil {
		return err
	}
	took, cached := time.Since(start), 0
	for _, a := range again {
		if a.Cached {
			cached++
		}
	}
	fmt.Fprintf(io.out, "The memory: the %d that are not unknown, asked about again: %d answered from memory, all in %.0f ms.\n",
		len(known), cached, float64(took.Microseconds())/1000)
	return nil
}
