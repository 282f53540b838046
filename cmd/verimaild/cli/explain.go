package cli

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/verimails/verimaild/daemon"
	"github.com/verimails/verimaild/pool/reply"
)

// explainOptions are the flags of explain.
type explainOptions struct {
	stage, mx, provider, config string
	ndjson                      bool
}

// newExplainCmd is "verimaild explain": what a reply means. It needs no daemon.
func newExplainCmd(io stdio) *cobra.Command {
	var o explainOptions
	cmd := &cobra.Command{
		Use:   "explain [REPLY]",
		Short: "Says what a mail server's reply means",
		Long: `Says what a mail server's reply means: its class, whom it is about, what verimaild would answer, and what an
operator can do about it. The reply is given as an argument or on standard input, as a server sends it or as a
log shows it; a second line may be written as \n. No daemon is needed.`,
		Example: `  verimaild explain '550 5.1.1 <ada@example.com>: Recipient address rejected: User unknown'
  verimaild explain --stage connect '554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org'
  verimaild explain --mx example-com.mail.protection.outlook.com '550 5.4.1 Recipient address rejected: Access denied'
  verimaild explain --ndjson < replies.ndjson`,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case o.ndjson && len(args) > 0:
				return usageError{errors.New("--ndjson reads standard input and takes no reply")}
			case len(args) > 1:
				return usageError{errors.New("one reply at a time: put it in quotes")}
			}
			return nil
		},
		RunE: func(_ *cobra.Command, args []string) error {
			rules, err := rulesOf(o.config)
			if err != nil {
				return err
			}
			if o.ndjson {
				return explainLines(rules, io)
			}
			return explainOne(rules, io, o, args)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.stage, "stage", "rcpt", "the command that was answered: connect, ehlo, starttls, mail, rcpt, rset or quit")
	f.StringVar(&o.mx, "mx", "", "the domain's mail hosts, separated by commas; they show the provider")
	f.StringVar(&o.provider, "provider", "", "the provider's id")
	f.StringVar(&o.config, "config", "", "configuration file whose own rules (replies) come before the built-in ones")
	f.BoolVar(&o.ndjson, "ndjson", false, `read lines {"id","stage","provider","mx","code","enhanced","text"}, write lines {"id","class","scope","rule"}`)
	return cmd
}

// maxReply bounds the text of one reply that is read from standard input.
const maxReply = 64 << 10

// explainOne explains one reply to a person.
func explainOne(t *reply.Table, std stdio, o explainOptions, args []string) error {
	stage, err := reply.ParseStage(o.stage)
	if err != nil {
		return usageError{fmt.Errorf("--stage: %w", err)}
	}
	prov, err := reply.ProviderOf(o.provider, o.mx)
	if err != nil {
		return usageError{fmt.Errorf("--provider: %w", err)}
	}
	text := strings.Join(args, " ")
	if len(args) == 0 {
		b, err := io.ReadAll(io.LimitReader(std.in, maxReply))
		if err != nil {
			return err
		}
		text = string(b)
	}
	r := reply.ParseReply(0, "", text)
	if r.Code == 0 {
		return usageError{errors.New("the reply has no code: want such as '550 5.1.1 User unknown'")}
	}
	printExplanation(std.out, r.String(), prov, t.Explain(stage, &r, prov))
	return nil
}

// rulesOf is the rules that read replies: the built-in ones, under those of the configuration file at path, if any.
func rulesOf(path string) (*reply.Table, error) {
	if path == "" {
		return reply.Builtin(), nil
	}
	cfg, err := load(path)
	if err != nil {
		return nil, err
	}
	return daemon.Replies(cfg)
}

// printExplanation writes e for a person.
func printExplanation(out io.Writer, text, prov string, e reply.Explanation) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	line := func(key, format string, args ...any) {
		fmt.Fprintf(w, "%s\t%s\n", key, printable(fmt.Sprintf(format, args...)))
	}
	line("reply", "%s", strings.ReplaceAll(text, "\n", " "))
	if prov != "" {
		line("provider", "%s", prov)
	}
	line("class", "%s%s", e.Meaning.Class, inBrackets(string(e.Meaning.Detail)))
	line("about", "%s: %s", e.Meaning.Scope, e.Whom)
	line("answer", "%s, %s", e.Verdict, e.Reason)
	if e.Meaning.Rule == "" {
		line("rule", "none")
	} else {
		line("rule", "%s (%s)", e.Meaning.Rule, e.Rule.Seen)
	}
	for _, b := range e.Because {
		line("because of", "%s", b)
	}
	if e.Meaning.Retry > 0 {
		line("ask again", "in %s", e.Meaning.Retry)
	}
	if e.Advice.Who != "" {
		line("refused by", "%s", e.Advice.Who)
	}
	if e.Advice.Check != "" {
		line("check at", "%s", e.Advice.Check)
	}
	for i, fix := range e.Advice.Fix {
		key := ""
		if i == 0 {
			key = "what to do"
		}
		line(key, "%s", fix)
	}
	_ = w.Flush() // As with every print to a terminal, there is nobody to tell.
}

func inBrackets(s string) string {
	if s == "" {
		return ""
	}
	return " (" + s + ")"
}
