package cli

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/client/apitype"
)

// The formats of files with reports.
const (
	formatAuto    = "auto"
	formatMessage = "message"
	formatMbox    = "mbox"
	formatCSV     = "csv"
	formatNDJSON  = "ndjson"
)

func (f *feedbackFlags) knownFormat() bool {
	switch f.format {
	case formatAuto, formatMessage, formatMbox, formatCSV, formatNDJSON:
		return true
	default:
		return false
	}
}

// maxMailed is how much of a message is sent: the status stands before the returned message.
const maxMailed = 4 << 20

// reportFile reports what is in a file or a directory. skipped is how many messages were no notifications.
func reportFile(ctx context.Context, stdin io.Reader, c *client.Client, format, name string) (sum apitype.FeedbackReply, skipped int, err error) {
	if name == "-" {
		return reportFrom(ctx, c, format, "", stdin)
	}
	info, err := os.Stat(name)
	if err != nil {
		return sum, 0, err
	}
	if info.IsDir() {
		return reportMessages(ctx, c, messagesIn(name))
	}
	file, err := os.Open(name) //nolint:gosec // G304: the file that the user names.
	if err != nil {
		return sum, 0, err
	}
	defer func() { _ = file.Close() }() // Only read.
	return reportFrom(ctx, c, format, name, file)
}

func reportFrom(ctx context.Context, c *client.Client, format, name string, from io.Reader) (sum apitype.FeedbackReply, skipped int, err error) {
	r := bufio.NewReaderSize(from, 64<<10)
	if format == formatAuto {
		format = formatOf(name, r)
	}
	switch format {
	case formatMbox:
		return reportMessages(ctx, c, messagesOf(r))
	case formatCSV:
		sum, err = reportCSV(ctx, c, r)
	case formatNDJSON:
		sum, err = c.ReportLines(ctx, r)
	default:
		sum, err = c.ReportMessage(ctx, io.LimitReader(r, maxMailed))
	}
	return sum, 0, err
}

// formatOf tells the format of a file by its name, or by how it begins.
func formatOf(name string, r *bufio.Reader) string {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".csv", ".tsv":
		return formatCSV
	case ".ndjson", ".jsonl", ".json":
		return formatNDJSON
	case ".eml":
		return formatMessage
	case ".mbox":
		return formatMbox
	}
	head, _ := r.Peek(1024) // What can't be read fails where it is read.
	head = bytes.TrimPrefix(head, []byte("\uFEFF"))
	line, _, _ := bytes.Cut(head, []byte("\n"))
	switch {
	case bytes.HasPrefix(bytes.TrimLeft(head, " \t\r\n"), []byte("{")):
		return formatNDJSON
	case bytes.HasPrefix(head, []byte("From ")):
		return formatMbox
	case bytes.Contains(line, []byte(": ")):
		return formatMessage
	default:
		return formatCSV
	}
}

// reportMessages reports each of many messages, and passes over those that are no notifications: a mailbox for bounces
// gets other mail, too.
func reportMessages(ctx context.Context, c *client.Client, messages iter.Seq2[[]byte, error]) (sum apitype.FeedbackReply, skipped int, err error) {
	sum.Results, sum.Faults = []apitype.FeedbackResult{}, []apitype.FeedbackFault{}
	for message, err := range messages {
		if err != nil {
			return sum, skipped, err
		}
		reply, err := c.ReportMessage(ctx, bytes.NewReader(message))
		if refused, ok := errors.AsType[*client.Error](err); ok && refused.Code == apitype.CodeNotDSN {
			skipped++
			continue
		}
		if err != nil {
			return sum, skipped, err
		}
		add(&sum, &reply)
	}
	return sum, skipped, nil
}

// add adds what came of one message to a sum.
func add(sum, r *apitype.FeedbackReply) {
	sum.Reports += r.Reports
	sum.Faulty += r.Faulty
	sum.Counted += r.Counted
	sum.Exposed += r.Exposed
	for _, effect := range []string{"none", "remembered", "confirmed", "corrected", "contested", "duplicate", "outdated"} {
		*sum.Effects.Of(effect) += *r.Effects.Of(effect)
	}
	sum.Results = append(sum.Results, r.Results...)
	sum.Results = sum.Results[:min(len(sum.Results), 100)]
	sum.Faults = append(sum.Faults, r.Faults...)
	sum.Faults = sum.Faults[:min(len(sum.Faults), 20)]
}

// messagesIn yields the messages in a directory: of a maildir those in new and cur, else every file in it.
func messagesIn(dir string) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		files, err := filesIn(dir)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, name := range files {
			message, err := readMessage(name)
			if !yield(message, err) || err != nil {
				return
			}
		}
	}
}

// filesIn lists the files that hold the messages of a directory.
func filesIn(dir string) (files []string, err error) {
	dirs := []string{filepath.Join(dir, "new"), filepath.Join(dir, "cur")}
	if _, err := os.Stat(dirs[0]); err != nil {
		dirs = []string{dir}
	}
	for _, d := range dirs {
		entries, err := os.ReadDir(d)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		for _, e := range entries {
			if e.Type().IsRegular() {
				files = append(files, filepath.Join(d, e.Name()))
			}
		}
	}
	return files, nil
}

// readMessage reads as much of a message as is sent.
func readMessage(name string) ([]byte, error) {
	f, err := os.Open(name) //nolint:gosec // G304: the file that the user names.
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // Only read.
	b, err := io.ReadAll(io.LimitReader(f, maxMailed))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return b, nil
}

// messagesOf yields the messages of an mbox file, RFC 4155: each begins with a line "From …" behind an empty one. Of a
// message longer than is sent, the beginning.
func messagesOf(r *bufio.Reader) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		m := mbox{blank: true}
		for {
			line, err := r.ReadSlice('\n')
			if errors.Is(err, bufio.ErrBufferFull) {
				err = nil // A long line comes in pieces; none of them begins a message.
			}
			if message, whole := m.take(line); whole && !yield(message, nil) {
				return
			}
			switch {
			case err == nil:
				continue
			case !errors.Is(err, io.EOF):
				yield(nil, err)
			case m.begun:
				yield(m.message, nil)
			}
			return
		}
	}
}

// An mbox puts lines together to messages.
type mbox struct {
	message []byte
	begun   bool // There was a line "From …".
	blank   bool // The line before was empty, or there was none.
}

// take adds a line. If that begins a message, the one before it is whole.
func (m *mbox) take(line []byte) (message []byte, whole bool) {
	switch {
	case m.blank && bytes.HasPrefix(line, []byte("From ")):
		message, whole = m.message, m.begun
		m.message, m.begun = nil, true
	case m.begun && len(m.message)+len(line) <= maxMailed:
		m.message = append(m.message, unquoted(line)...)
	}
	m.blank = len(bytes.TrimRight(line, "\r\n")) == 0
	return message, whole
}

// unquoted takes the ">" off a line that would begin a message otherwise.
func unquoted(line []byte) []byte {
	if bytes.HasPrefix(line, []byte(">")) && bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte("From ")) {
		return line[1:]
	}
	return line
}
