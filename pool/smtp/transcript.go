package smtp

import (
	"slices"
	"time"
)

// The bounds of a transcript. A server that says more is heard, not recorded.
const (
	transcriptLines  = 64
	transcriptOctets = 8 << 10
)

// A Line is one line of the dialogue.
type Line struct {
	At     time.Time
	Client bool   // Ours; otherwise the server's.
	Text   string // Without CRLF; printable; at most 1 KiB. "(TLS1.3)" and its like stand for a TLS handshake.
}

// A transcript records the opening dialogue within its bounds. The zero transcript is empty.
type transcript struct {
	lines  []Line
	octets int
}

// add records one line, unless the transcript is full.
func (t *transcript) add(at time.Time, client bool, line []byte) {
	if len(t.lines) >= transcriptLines || t.octets >= transcriptOctets {
		return
	}
	text := printable(line, min(keptLine, transcriptOctets-t.octets))
	t.octets += len(text)
	t.lines = append(t.lines, Line{At: at, Client: client, Text: text})
}

// sealed is the record in no more memory than it needs; an idle session holds it for as long as it lives.
func (t *transcript) sealed() []Line {
	return slices.Clip(slices.Clone(t.lines))
}
