package daemon

import (
	"bytes"
	"errors"
	"io"
	"os"
	"testing"

	"go.uber.org/zap"

	"github.com/verimails/verimaild/config"
)

// TestLogLineStaysALine: whatever a stranger says, an entry of the log is one line, and does nothing to a terminal.
func TestLogLineStaysALine(t *testing.T) {
	const hostile = "ok\r\n{\"level\":\"info\",\"msg\":\"forged\"}\n\x1b[2J\x07\x00\xff\u2028"
	for _, format := range []string{"json", "console"} {
		t.Run(format, func(t *testing.T) {
			text := logged(t, format, func(log *zap.Logger) {
				log.Named("pool").Warn("a mail server said something", zap.String("reply", hostile), zap.Error(errors.New(hostile)), zap.Any("more", []string{hostile}))
			})
			if n := bytes.Count(text, []byte("\n")); n != 1 || !bytes.HasSuffix(text, []byte("\n")) {
				t.Errorf("the entry has %d lines: %q", n, text)
			}
			if bytes.ContainsAny(text, "\r\x00\x07\x1b") {
				t.Errorf("the entry has control characters: %q", text)
			}
		})
	}
}

// logged is what f logs in a format.
func logged(t *testing.T, format string, f func(*zap.Logger)) []byte {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	was := os.Stderr
	os.Stderr = w
	log, _, err := newLogger(config.Log{Level: "info", Format: format})
	os.Stderr = was
	if err != nil {
		t.Fatal(err)
	}
	f(log)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
