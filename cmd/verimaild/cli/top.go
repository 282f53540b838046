package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/verimails/verimaild/client"
)

func newTopCmd(io stdio) *cobra.Command {
	var socket string
	var every time.Duration
	var once bool
	cmd := &cobra.Command{
		Use:   "top",
		Short: "Watch what the daemon does",
		Long: `Watch what the daemon does, by site, source or application. Keys: s, o, a (or Tab) choose the table, the arrows or
j and k scroll, q ends. Where standard output is no terminal, or with --once, each table is printed once.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if every < 100*time.Millisecond {
				return usageError{fmt.Errorf("--every %v is less than 100ms", every)}
			}
			return ask(socket, func(c *client.Client) error {
				in, inOK := io.in.(*os.File)
				out, outOK := io.out.(*os.File)
				if once || !inOK || !outOK || !term.IsTerminal(int(in.Fd())) || !term.IsTerminal(int(out.Fd())) {
					return topOnce(cmd.Context(), io.out, c)
				}
				return watchTop(cmd.Context(), in, out, c, every)
			})
		},
	}
	cmd.Flags().StringVar(&socket, "socket", "", "the daemon's socket")
	cmd.Flags().DurationVar(&every, "every", 2*time.Second, "how often it looks")
	cmd.Flags().BoolVar(&once, "once", false, "print each table once")
	return cmd
}

// topOnce prints every table.
func topOnce(ctx context.Context, out io.Writer, c *client.Client) error {
	p, err := takePicture(ctx, c)
	if err != nil {
		return err
	}
	for _, line := range summary(p) {
		fmt.Fprintln(out, line)
	}
	for v := range views {
		fmt.Fprintln(out)
		for _, line := range tableOf(v, p, picture{}) {
			fmt.Fprintln(out, strings.TrimRight(line, " "))
		}
	}
	return nil
}

// summary are the lines above the tables.
func summary(p picture) []string {
	lines := headLines(&p.Status)
	lines = append(lines, workLines(p)[:2]...)
	return append(lines, rateLines(&p.Status.Rates)...)
}

// A screen is what top shows, and what was done to it.
type screen struct {
	view        view
	skip        int // Rows of the table that are scrolled away.
	now, before picture
	err         error // Why there is nothing newer.
}

// key takes a key, or an escape sequence; false ends top.
func (s *screen) key(k string) bool {
	switch k {
	case "q", "Q", "\x03", "\x04", "\x1b":
		return false
	case "s":
		s.view, s.skip = bySite, 0
	case "o":
		s.view, s.skip = bySource, 0
	case "a":
		s.view, s.skip = byApp, 0
	case "\t":
		s.view, s.skip = (s.view+1)%views, 0
	case "j", "\x1b[B":
		s.skip++
	case "k", "\x1b[A":
		s.skip = max(0, s.skip-1)
	}
	return true
}

// lines are the screen, in a terminal of this size.
func (s *screen) lines(width, height int) []string {
	out := summary(s.now)
	if s.err != nil {
		out = append([]string{"The daemon does not answer: " + printable(s.err.Error())}, out...)
	}
	table := tableOf(s.view, s.now, s.before)
	rows := table[1:]
	room := max(0, height-len(out)-3)
	s.skip = max(0, min(s.skip, len(rows)-room))
	out = append(out, "", table[0])
	out = append(out, rows[s.skip:min(len(rows), s.skip+room)]...)
	for len(out) < height-1 {
		out = append(out, "")
	}
	out = append(out, fmt.Sprintf("%s of %d   s sites  o sources  a applications  j/k scroll  q quit", s.view.title(), len(rows)))
	for i, line := range out {
		out[i] = strings.TrimRight(clipped(line, width), " ")
	}
	return out[:min(len(out), height)]
}

// The sequences of a terminal that top uses; every one since the VT220 knows them, or leaves them alone.
const (
	enterScreen = "\x1b[?1049h\x1b[?25l" // The other screen, without its cursor.
	leaveScreen = "\x1b[?25h\x1b[?1049l"
	home        = "\x1b[H"
	clearLine   = "\x1b[K"
	clearBelow  = "\x1b[J"
)

// watchTop shows the screen until a key or ctx ends it.
func watchTop(ctx context.Context, in, out *os.File, c *client.Client, every time.Duration) error {
	s := &screen{}
	var err error
	if s.now, err = takePicture(ctx, c); err != nil {
		return err
	}
	restore, err := keysAsTheyCome(int(in.Fd()))
	if err != nil {
		return fmt.Errorf("terminal: %w", err)
	}
	defer restore()
	fmt.Fprint(out, enterScreen)
	defer fmt.Fprint(out, leaveScreen)
	next := time.Now().Add(every)
	for ctx.Err() == nil {
		s.draw(out)
		keys := make([]byte, 16)
		n, err := in.Read(keys) // Returns after keyWait at the latest.
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("terminal: %w", err)
		}
		if n > 0 && !s.key(string(keys[:n])) {
			return nil
		}
		if time.Now().Before(next) {
			continue
		}
		next = time.Now().Add(every)
		p, err := takePicture(ctx, c)
		if s.err = err; err == nil {
			s.before, s.now = s.now, p
		}
	}
	return nil
}

// draw writes the screen over the one before.
func (s *screen) draw(out *os.File) {
	width, height, err := term.GetSize(int(out.Fd()))
	if err != nil {
		width, height = 80, 24
	}
	fmt.Fprint(out, home+strings.Join(s.lines(width, height), clearLine+"\r\n")+clearLine+clearBelow)
}
