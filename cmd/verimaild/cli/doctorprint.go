package cli

import (
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/verimails/verimaild/daemon/doctor"
)

// doctorWords are what a line begins with, and its colour, ECMA-48.
var doctorWords = map[doctor.State]struct{ word, colour string }{
	doctor.OK:      {"ok", "32"},
	doctor.Note:    {"note", "36"},
	doctor.Unknown: {"?", "33"},
	doctor.Warn:    {"WARN", "33;1"},
	doctor.Fail:    {"FAIL", "31;1"},
}

// painter colours text where w is a terminal and nobody minds, https://no-color.org.
func painter(w io.Writer) func(colour, text string) string {
	f, ok := w.(*os.File)
	if !ok || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" || !isTerminal(f) {
		return func(_, text string) string { return text }
	}
	return func(colour, text string) string { return "\x1b[" + colour + "m" + text + "\x1b[0m" }
}

func isTerminal(f *os.File) bool {
	_, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ)
	return err == nil
}

// printFinding prints one line.
func printFinding(w io.Writer, paint func(string, string) string, f *doctor.Finding) {
	word := doctorWords[f.State]
	text := strings.TrimSuffix(f.Found, ".") + "."
	if f.Area == doctor.AreaResolver && f.Subject != "" {
		text = f.Subject + " " + text
	}
	if f.Advice != "" {
		text += " " + f.Advice
	}
	fmt.Fprintf(w, "%s  %-24s  %s\n", paint(word.colour, fmt.Sprintf("%-4s", word.word)), printable(label(f)), printable(text))
}

// label says what a line is about.
func label(f *doctor.Finding) string {
	check := strings.ReplaceAll(f.Check, "_", " ")
	switch f.Area {
	case doctor.AreaConfiguration:
		return f.Area
	case doctor.AreaSources:
		if f.Subject == "" {
			return check
		}
		return "source " + f.Subject + " " + check
	case doctor.AreaDaemon, doctor.AreaResolver:
		return f.Area + " " + check
	default:
		return check
	}
}

// printDiagnosis prints the sum.
func printDiagnosis(w io.Writer, d *diagnosis) {
	var parts []string
	for _, p := range []struct {
		n    int
		what string
	}{{d.Failed, "FAIL"}, {d.Warned, "WARN"}, {d.Unknown, "not known"}} {
		if p.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", p.n, p.what))
		}
	}
	if len(parts) == 0 {
		parts = []string{"all in order"}
	}
	fmt.Fprintf(w, "\n%d checks: %s\n", len(d.Checks), strings.Join(parts, ", "))
}
