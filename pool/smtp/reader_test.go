package smtp

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

func TestReadReply(t *testing.T) {
	for _, tt := range []readCase{
		{name: "one line", in: "250 2.1.5 Ok\r\n", want: "250 2.1.5 Ok"},
		{name: "code alone", in: "250\r\n", want: "250", lines: []string{""}},
		{name: "code and space", in: "250 \r\n", want: "250", lines: []string{""}},
		{name: "several lines", in: "250-a\r\n250-b\r\n250 c\r\n", want: "250 a b c", lines: []string{"a", "b", "c"}},
		{name: "last line has the code only", in: "550-5.1.1 a\r\n550-5.1.2 b\r\n550\r\n", want: "550 5.1.2 a b ", lines: []string{"a", "b", ""}},
		{name: "enhanced on each line", in: "550-5.1.1 a\r\n550 5.1.1 b\r\n", want: "550 5.1.1 a b"},
		{name: "enhanced of another class", in: "450 5.1.1 a\r\n", want: "450 5.1.1 a", lines: []string{"5.1.1 a"}},
		{name: "two codes", in: "250-a\r\n550 b\r\n"},
		{name: "not a number", in: "SSH-2.0-OpenSSH_9.2\r\n"},
		{name: "HTTP", in: "HTTP/1.1 400 Bad Request\r\n"},
		{name: "empty line", in: "\r\n"},
		{name: "two digits", in: "25 ok\r\n"},
		{name: "four digits", in: "2500 ok\r\n"},
		{name: "no separator", in: "250ok\r\n"},
		{name: "1yz", in: "150 ok\r\n"},
		{name: "6yz", in: "650 ok\r\n"},
		{name: "space before the code", in: " 250 ok\r\n"},
		{name: "bare LF", in: "250-a\n250 b\r\n", want: "250 a b"},
		{name: "bare CR is text", in: "250 a\r250 b\r\n", want: "250 a 250 b", lines: []string{"a 250 b"}},
		{name: "CR CR LF", in: "250 a\r\r\n", want: "250 a ", lines: []string{"a "}},
		{name: "NUL", in: "250 a\x00b\r\n", want: "250 a\ufffdb"},
		{name: "8 bits", in: "550 utilisateur inexistant \xe0\r\n", want: "550 utilisateur inexistant \ufffd"},
		{name: "UTF-8", in: "550 größer\r\n", want: "550 größer"},
		{name: "direction override", in: "550 a\u202eb\r\n", want: "550 a\ufffdb"},
		{name: "tab", in: "550 a\tb\r\n", want: "550 a b"},
		{name: "line of 600", in: "250 " + strings.Repeat("x", 596) + "\r\n", want: "250 " + strings.Repeat("x", 596)},
		{name: "line of 2000", in: "250 " + strings.Repeat("x", 1996) + "\r\n", want: "250 " + strings.Repeat("x", keptLine)},
		{name: "line of 4096", in: "250 " + strings.Repeat("x", 4092) + "\r\n", want: "250 " + strings.Repeat("x", keptLine)},
		{name: "line of 4097", in: "250 " + strings.Repeat("x", 4093) + "\r\n"},
		{name: "line of 4097, bare LF", in: "250 " + strings.Repeat("x", 4093) + "\n"},
		{name: "endless line", in: "250 " + strings.Repeat("x", 1<<20)},
		{name: "100 lines", in: strings.Repeat("250-a\r\n", 99) + "250 a\r\n", want: "250" + strings.Repeat(" a", 100)},
		{name: "101 lines", in: strings.Repeat("250-a\r\n", 100) + "250 a\r\n"},
		{name: "10,000 lines", in: strings.Repeat("250-a\r\n", 10_000) + "250 a\r\n"},
		{name: "more than 64 KiB", in: strings.Repeat("250-"+strings.Repeat("x", 4000)+"\r\n", 20) + "250 a\r\n"},
	} {
		t.Run(tt.name, tt.run)
	}
}

// A readCase is input and the reply that it begins with.
type readCase struct {
	name, in string
	want     string   // String of the reply; "" if it must be refused.
	lines    []string // Nil: not compared.
}

func (c *readCase) run(t *testing.T) {
	for name, src := range map[string]io.Reader{
		"whole":             strings.NewReader(c.in),
		"octet by octet":    iotest.OneByteReader(strings.NewReader(c.in)),
		"data and error":    iotest.DataErrReader(strings.NewReader(c.in)),
		"and another reply": strings.NewReader(c.in + "221 Bye\r\n"),
	} {
		r := replyReader{src: src}
		reply, err := r.readReply()
		_, malformed := errors.AsType[protocolError](err)
		switch {
		case c.want == "" && !malformed:
			t.Errorf("%s: readReply() = %q, %v, want a protocolError", name, reply, err)
		case c.want != "" && (err != nil || reply.String() != c.want):
			t.Errorf("%s: readReply() = %q, %v, want %q", name, reply, err, c.want)
		case c.lines != nil && !slices.Equal(reply.Lines, c.lines):
			t.Errorf("%s: Lines = %q, want %q", name, reply.Lines, c.lines)
		}
		if len(r.buf) > largeBuffer {
			t.Errorf("%s: buffer of %d octets, want at most %d", name, len(r.buf), largeBuffer)
		}
	}
}

func TestReadReplyEnd(t *testing.T) {
	for _, in := range []string{"", "250", "250 ok", "250-ok\r\n"} {
		r := replyReader{src: strings.NewReader(in)}
		if reply, err := r.readReply(); !errors.Is(err, io.EOF) {
			t.Errorf("readReply() of %q = %q, %v, want EOF", in, reply, err)
		}
	}
	r := replyReader{src: readerFunc(func([]byte) (int, error) { return 0, nil })}
	if _, err := r.readReply(); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("readReply() from a source without octets = %v, want %v", err, io.ErrNoProgress)
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

func TestReadRepliesInOneSegment(t *testing.T) {
	r := replyReader{src: strings.NewReader("250 a\r\n550 b\r\n250-c\r\n250 d\r\n")}
	for _, want := range []string{"250 a", "550 b", "250 c d"} {
		if reply, err := r.readReply(); err != nil || reply.String() != want {
			t.Errorf("readReply() = %q, %v, want %q", reply, err, want)
		}
	}
	if r.buffered() != 0 {
		t.Errorf("buffered() = %d, want 0", r.buffered())
	}
}

func TestReadReplySharesCommonLines(t *testing.T) {
	in := strings.Repeat("250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n250 2.0.0 Reset\r\n", 1100)
	r := replyReader{src: strings.NewReader(in)}
	for range 3 {
		if _, err := r.readReply(); err != nil {
			t.Fatal(err)
		}
	}
	allocs := testing.AllocsPerRun(1000, func() {
		if reply, err := r.readReply(); err != nil || !reply.Positive() {
			t.Fatalf("readReply() = %q, %v", reply, err)
		}
	})
	if allocs != 0 {
		t.Errorf("a repeated reply costs %v allocations, want 0", allocs)
	}
}

func FuzzReadReply(f *testing.F) {
	for _, seed := range []string{
		"250 ok\r\n", "250-a\r\n250 b\r\n", "250-a\r\n550 b\r\n", "250 a\n", "220-\r\n220 \r\n250 2.0.0", "550 #5.1.0 x\r\n",
		"\x00\r\n", "250 " + strings.Repeat("\xff", 1200) + "\r\n", "421 4.4.2 bye\r\n",
	} {
		f.Add([]byte(seed), uint8(1))
	}
	f.Fuzz(func(t *testing.T, in []byte, chunk uint8) {
		whole := readAll(t, strings.NewReader(string(in)))
		split := readAll(t, &chunkReader{rest: in, n: int(chunk)%7 + 1})
		if !slices.Equal(whole, split) {
			t.Errorf("in one segment %q, in pieces %q", whole, split)
		}
	})
}

// readAll reads replies to the end of src and returns them and the error as text.
func readAll(t *testing.T, src io.Reader) []string {
	t.Helper()
	r := replyReader{src: src}
	var got []string
	for {
		reply, err := r.readReply()
		if err != nil {
			return append(got, fmt.Sprint(err))
		}
		checkReply(t, reply, false)
		if len(r.buf) > largeBuffer {
			t.Errorf("buffer of %d octets", len(r.buf))
		}
		got = append(got, fmt.Sprintf("%d %v %q", reply.Code, reply.Enhanced, reply.Lines))
	}
}

// A chunkReader hands out n octets at a time.
type chunkReader struct {
	rest []byte
	n    int
}

func (r *chunkReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.rest[:min(r.n, len(r.rest))])
	r.rest = r.rest[n:]
	return n, nil
}
