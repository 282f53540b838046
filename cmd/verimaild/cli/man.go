package cli

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/verimails/verimaild/config"
	"github.com/verimails/verimaild/daemon"
)

// newManCmd writes the manual pages from the commands themselves. It is for those who build packages, so it is hidden.
func newManCmd() *cobra.Command {
	return &cobra.Command{
		Use:    "man DIRECTORY",
		Short:  "Write the manual pages: one for each command, and verimaild.yaml(5)",
		Hidden: true,
		Args:   cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			pages := manPages(cmd.Root())
			for name, text := range pages {
				if err := os.WriteFile(filepath.Join(args[0], name), []byte(text), 0o644); err != nil { //nolint:gosec // G306: manual pages are for everybody.
					return err
				}
			}
			return nil
		},
	}
}

// manPages are all pages by their file names.
func manPages(root *cobra.Command) map[string]string {
	v := daemon.Version()
	source := "verimaild " + v.Version
	date, _, _ := strings.Cut(v.Built, "T")
	pages := map[string]string{"verimaild.yaml.5": configPage(date, source)}
	for _, c := range commands(root) {
		pages[manName(c)+".1"] = commandPage(c, date, source)
	}
	return pages
}

// commands is c and all commands below it that people are meant to use.
func commands(c *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			all = append(all, commands(sub)...)
		}
	}
	return all
}

func manName(c *cobra.Command) string { return strings.ReplaceAll(c.CommandPath(), " ", "-") }

// commandPage is the page of one command.
func commandPage(c *cobra.Command, date, source string) string {
	p := newRoff(strings.ToUpper(manName(c)), "1", date, source)
	p.section("NAME")
	p.paragraph(manName(c) + " - " + lowerFirst(c.Short))
	p.section("SYNOPSIS")
	p.line(".B " + roffText(c.UseLine()))
	p.section("DESCRIPTION")
	about := c.Long
	if about == "" {
		about = c.Short + "."
	}
	p.text(about)
	p.flags("OPTIONS", c.NonInheritedFlags())
	p.flags("OPTIONS OF ALL ITS COMMANDS", c.InheritedFlags())
	if c.Example != "" {
		p.section("EXAMPLES")
		p.verbatim(c.Example)
	}
	p.subcommands(c)
	if !c.HasParent() {
		p.overview()
	}
	p.seeAlso(c)
	return p.String()
}

// configPage is verimaild.yaml(5): the annotated file as it is.
func configPage(date, source string) string {
	p := newRoff("VERIMAILD.YAML", "5", date, source)
	p.section("NAME")
	p.paragraph("verimaild.yaml - configuration of verimaild")
	p.section("DESCRIPTION")
	p.verbatim(string(config.Document()))
	p.section("SEE ALSO")
	p.line(".BR verimaild (1)")
	return p.String()
}

// A roff is a manual page in the macros of man(7).
type roff struct{ strings.Builder }

func newRoff(title, section, date, source string) *roff {
	p := new(roff)
	p.line(fmt.Sprintf(`.TH "%s" "%s" "%s" "%s" "verimaild"`, roffText(title), section, date, roffText(source)))
	p.line(".nh") // Commands and keys are copied from these pages: no hyphens of the formatter's.
	p.line(".ad l")
	return p
}

func (p *roff) line(s string) { p.WriteString(s + "\n") }

func (p *roff) section(title string) { p.line(".SH " + title) }

// paragraph writes plain words, which the formatter fills.
func (p *roff) paragraph(s string) {
	p.line(".PP")
	for line := range strings.Lines(s) {
		p.line(roffLine(strings.TrimSuffix(line, "\n")))
	}
}

// text writes the paragraphs of a help text; one that is indented stands as it is.
func (p *roff) text(s string) {
	for part := range strings.SplitSeq(strings.Trim(s, "\n"), "\n\n") {
		if strings.HasPrefix(part, " ") {
			p.verbatim(part)
			continue
		}
		p.paragraph(part)
	}
}

// verbatim writes lines that stay as they are.
func (p *roff) verbatim(s string) {
	p.line(".PP\n.EX")
	for line := range strings.Lines(strings.Trim(s, "\n")) {
		p.line(roffLine(strings.TrimSuffix(line, "\n")))
	}
	p.line(".EE")
}

// flags writes a section with all flags of fs that are not hidden, if there are any.
func (p *roff) flags(title string, fs *pflag.FlagSet) {
	if !fs.HasAvailableFlags() {
		return
	}
	p.section(title)
	fs.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		kind, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		p.line(".TP\n.B " + roffText(strings.TrimSpace(name+" "+kind)))
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "[]" {
			usage += " (default " + f.DefValue + ")"
		}
		p.line(roffLine(usage))
	})
}

// subcommands lists what is below c.
func (p *roff) subcommands(c *cobra.Command) {
	if !c.HasAvailableSubCommands() {
		return
	}
	p.section("COMMANDS")
	for _, sub := range c.Commands() {
		if sub.IsAvailableCommand() {
			p.line(".TP\n.BR " + roffText(manName(sub)) + " (1)")
			p.line(roffLine(sub.Short + "."))
		}
	}
}

// overview is what only the page of the program itself says.
func (p *roff) overview() {
	p.section("EXIT STATUS")
	p.paragraph("0 done, 1 failure, 2 usage or configuration, 3 no daemon answers; for verify also 4 at least one address " +
		"undeliverable, 5 none undeliverable but at least one unknown.")
	p.section("FILES")
	for _, f := range [][2]string{
		{"/etc/verimaild/verimaild.yaml", "the configuration, see verimaild.yaml(5)"},
		{"/run/verimaild/verimaild.sock", "the socket; members of the group verimaild may ask"},
		{"/var/lib/verimaild", "what the daemon remembers, and its jobs"},
	} {
		p.line(".TP\n.I " + roffText(f[0]))
		p.line(roffLine(f[1]))
	}
}

// seeAlso names the neighbours of c's page.
func (p *roff) seeAlso(c *cobra.Command) {
	p.section("SEE ALSO")
	if c.HasParent() {
		p.line(".BR " + roffText(manName(c.Parent())) + " (1),")
	}
	p.line(".BR verimaild.yaml (5)")
}

// roffText makes s safe inside a line: a backslash would be an escape, and a bare hyphen no minus sign.
func roffText(s string) string {
	return strings.NewReplacer(`\`, `\e`, "-", `\-`, `"`, `\(dq`).Replace(s)
}

// roffLine is s as a line of its own: a dot or an apostrophe in front would make it a request.
func roffLine(s string) string {
	s = roffText(s)
	if strings.HasPrefix(s, ".") || strings.HasPrefix(s, "'") {
		s = `\&` + s
	}
	return s
}

func lowerFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToLower(s[:1]) + s[1:]
}
