package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/client/apitype"
)

// bulkFlags are the flags of bulk run and bulk join.
type bulkFlags struct {
	socket       string
	list         client.JobOptions
	out          outFlags
	report       string
	secretFile   string
	detach, json bool
}

// outFlags say where results go, and which.
type outFlags struct {
	file string
	client.ResultsOptions
}

func (f *outFlags) add(cmd *cobra.Command) {
	fl := cmd.Flags()
	fl.StringVarP(&f.file, "output", "o", "", `write the results to this file; "-" is standard output`)
	fl.StringVar(&f.Format, "format", "csv", "what to write: csv, ndjson, or what others export: kickbox, zerobounce, neverbounce")
	fl.StringSliceVar(&f.Verdicts, "verdict", nil, "write only rows with one of these verdicts")
	fl.StringSliceVar(&f.Reasons, "reason", nil, "write only rows with one of these reasons")
	fl.BoolVar(&f.BOM, "bom", false, "begin a CSV with a byte order mark, for Excel")
	fl.BoolVar(&f.RawFormulas, "raw-formulas", false, "leave cells as they are that a spreadsheet would take for formulas")
}

func newBulkCmd(io stdio) *cobra.Command {
	cmd := &cobra.Command{Use: "bulk", Short: "Verify a list", Args: cobra.NoArgs}
	cmd.AddCommand(newBulkRunCmd(io), newBulkJoinCmd(io))
	return cmd
}

func newBulkRunCmd(io stdio) *cobra.Command {
	var f bulkFlags
	cmd := &cobra.Command{
		Use:   "run FILE -o OUT",
		Short: "Verify a list, and write it back with an outcome beside each row",
		Long: `Hand a list to the daemon as a job, show how it gets on, and write the same list with an outcome beside each row.

The list is CSV, NDJSON or one address a line, plain or gzip; "-" reads standard input. Ctrl-C leaves the job running
and says how to come back to it.

Exit code: 0 done, 1 the job failed or was left running, 2 usage, 3 no daemon answers.`,
		Args: exactlyOne("file"),
		RunE: func(cmd *cobra.Command, args []string) error { return bulkRun(cmd.Context(), io, &f, args[0]) },
	}
	fl := cmd.Flags()
	fl.StringVar(&f.socket, "socket", "", "the daemon's socket")
	fl.StringVar(&f.list.Column, "column", "", "the column that holds the addresses: its name, or its number from 1")
	fl.StringVar(&f.list.Format, "input", "", "what the list is: csv, ndjson or lines (found out by itself)")
	fl.StringVar(&f.list.Header, "header", "", "whether a CSV has a header: present or absent (found out by itself)")
	fl.StringVar(&f.list.Delimiter, "delimiter", "", "of a CSV (found out by itself)")
	fl.StringVar(&f.list.Charset, "charset", "", "of the list (found out by itself)")
	fl.DurationVar(&f.list.Patience, "patience", 0, "how long an address waits out greylisting and failures that pass (default: the daemon's bulk.patience)")
	fl.BoolVar(&f.list.Impatient, "impatient", false, "wait out neither: take the first answer")
	fl.DurationVar(&f.list.TimeLimit, "time-limit", 0, "end the job after this time, whatever is left")
	fl.BoolVar(&f.list.Fresh, "fresh", false, "take no answer that is remembered for longer than ten minutes")
	fl.StringVar(&f.list.Depth, "depth", "", "how far to check: syntax, dns or smtp")
	fl.StringVar(&f.list.Webhook, "webhook", "", "a URL that is told of the job's end")
	fl.StringVar(&f.secretFile, "webhook-secret-file", "", "a file with the secret that signs what the webhook is told")
	fl.BoolVar(&f.detach, "detach", false, "only start the job, and print its id")
	fl.StringVar(&f.report, "report", "", "write a page with charts to this file")
	fl.BoolVar(&f.json, "json", false, "print the job as JSON at the end")
	f.out.add(cmd)
	cmd.MarkFlagsMutuallyExclusive("patience", "impatient")
	return cmd
}

func newBulkJoinCmd(io stdio) *cobra.Command {
	var f bulkFlags
	cmd := &cobra.Command{
		Use:   "join JOB -o OUT",
		Short: "Come back to a job: show how it gets on, and write its results at the end",
		Args:  exactlyOne("job"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return ask(f.socket, func(c *client.Client) error {
				if err := f.check(); err != nil {
					return err
				}
				return bulkFollow(cmd.Context(), io, c, &f, args[0])
			})
		},
	}
	cmd.Flags().StringVar(&f.socket, "socket", "", "the daemon's socket")
	cmd.Flags().StringVar(&f.report, "report", "", "write a page with charts to this file")
	cmd.Flags().BoolVar(&f.json, "json", false, "print the job as JSON at the end")
	f.out.add(cmd)
	return cmd
}

// exactlyOne is cobra.ExactArgs(1) with an error that names what is missing.
func exactlyOne(what string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch len(args) {
		case 0:
			return usageError{fmt.Errorf("no %s given", what)}
		case 1:
			return nil
		default:
			return usageError{fmt.Errorf("%d arguments given; one %s at a time", len(args), what)}
		}
	}
}

// check finds what cannot be written before anything is asked.
func (f *bulkFlags) check() error {
	for _, path := range []string{f.out.file, f.report} {
		if path == "" || path == "-" {
			continue
		}
		if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
			return usageError{fmt.Errorf("%s cannot be written: there is no directory %s", path, filepath.Dir(path))}
		}
	}
	if f.out.file == "-" && f.json {
		return usageError{errors.New("--json and the results cannot both go to standard output")}
	}
	return nil
}

// readSecret reads the webhook's secret. It comes from a file, because arguments can be seen by every user of the host.
func (f *bulkFlags) readSecret() error {
	if f.secretFile == "" {
		return nil
	}
	if f.list.Webhook == "" {
		return usageError{errors.New("--webhook-secret-file without --webhook")}
	}
	b, err := os.ReadFile(f.secretFile)
	if err != nil {
		return usageError{err}
	}
	f.list.Secret = strings.TrimRight(string(b), "\r\n")
	if f.list.Secret == "" || strings.ContainsFunc(f.list.Secret, unicode.IsControl) {
		return usageError{fmt.Errorf("%s must hold the secret on one line", f.secretFile)}
	}
	return nil
}

func bulkRun(ctx context.Context, std stdio, f *bulkFlags, file string) error {
	if err := f.check(); err != nil {
		return err
	}
	if f.out.file == "" && !f.detach {
		return usageError{errors.New(`no --output given; "-o -" writes to standard output, --detach only starts the job`)}
	}
	if err := f.readSecret(); err != nil {
		return err
	}
	from := std.in
	if file != "-" {
		list, err := os.Open(file) //nolint:gosec // G304: the file that the user names.
		if err != nil {
			return usageError{err}
		}
		defer func() { _ = list.Close() }() // Only read.
		from, f.list.Name = list, filepath.Base(file)
	}
	return ask(f.socket, func(c *client.Client) error {
		job, err := createJob(ctx, c, from, f.list)
		if err != nil {
			return err
		}
		if f.detach {
			if f.json {
				return printJSON(std, job)
			}
			fmt.Fprintln(std.out, job.ID)
			return nil
		}
		fmt.Fprintf(std.err, "Job %s. %s\n", job.ID, printable(job.List.Description))
		return bulkFollow(ctx, std, c, f, job.ID)
	})
}

// createJob uploads a list.
func createJob(ctx context.Context, c *client.Client, list io.Reader, opts client.JobOptions) (apitype.Job, error) {
	job, err := c.CreateJob(ctx, list, opts)
	if err != nil && ctx.Err() != nil {
		return job, errors.New("stopped while the list was sent; there is no job")
	}
	if refused, ok := errors.AsType[*client.Error](err); ok {
		switch refused.Code {
		case apitype.CodeInvalidField, apitype.CodeInvalidQuery:
			return job, usageError{err} // The query comes from flags.
		case apitype.CodeInvalidList:
			if opts.Column != "" {
				return job, usageError{err}
			}
		}
	}
	return job, err
}

// bulkFollow shows how a job gets on, and does what is due at its end. When it is interrupted it says how to come back.
func bulkFollow(ctx context.Context, std stdio, c *client.Client, f *bulkFlags, id string) error {
	err := f.follow(ctx, std, c, id)
	if err == nil || ctx.Err() == nil {
		return err
	}
	fmt.Fprintf(std.err, "\nThe job goes on without this command. Come back to it:\n  verimaild bulk join %s%s\n"+
		"or stop it:\n  verimaild job cancel %[1]s\n", id, f.again())
	return exitError(exitFailure)
}

// follow shows how a job gets on, and does what is due at its end.
func (f *bulkFlags) follow(ctx context.Context, std stdio, c *client.Client, id string) error {
	start := time.Now()
	job, err := follow(ctx, std.err, c, id)
	if err != nil {
		return err
	}
	if f.out.file != "" {
		if err := saveResults(ctx, std, c, id, &f.out); err != nil {
			return err
		}
	}
	if f.report != "" {
		if err := writeAtomically(f.report, func(w io.Writer) error { return writeReport(w, &job) }); err != nil {
			return err
		}
	}
	if f.json {
		err = printJSON(std, job)
	} else {
		renderSummary(std.err, &job, time.Since(start))
	}
	if err != nil {
		return err
	}
	return f.end(std, &job)
}

// end says where things are, and fails if the job did not come to a good end.
func (f *bulkFlags) end(std stdio, job *apitype.Job) error {
	for _, path := range []string{f.out.file, f.report} {
		if path != "" && path != "-" {
			fmt.Fprintf(std.err, "Written: %s\n", path)
		}
	}
	if job.State == apitype.JobFinished {
		return nil
	}
	if job.Problem != "" {
		return fmt.Errorf("the job %s: %s", job.State, printable(job.Problem))
	}
	return fmt.Errorf("the job was %s; rows without an outcome are empty", job.State)
}

// again is the flags of bulk join that do what this command would have done.
func (f *bulkFlags) again() string {
	out := ""
	if f.out.file != "" {
		out += " -o " + f.out.file
	}
	if f.out.Format != "csv" {
		out += " --format " + f.out.Format
	}
	if f.report != "" {
		out += " --report " + f.report
	}
	if f.socket != "" {
		out += " --socket " + f.socket
	}
	return out
}

// saveResults writes a job's results to a file that appears once it is whole, or to standard output.
func saveResults(ctx context.Context, std stdio, c *client.Client, id string, f *outFlags) error {
	if f.file == "" || f.file == "-" {
		return c.JobResults(ctx, id, std.out, f.ResultsOptions)
	}
	return writeAtomically(f.file, func(w io.Writer) error { return c.JobResults(ctx, id, w, f.ResultsOptions) })
}
