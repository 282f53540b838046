package preflight

import (
	"bufio"
	"io"
	"strings"
	"testing"
)

// FuzzGreeting reads any octets as a mail server's greeting: no more of it than a reply is used, and its first line is one
// line.
func FuzzGreeting(f *testing.F) {
	for _, in := range []string{"220 mx\r\n", "220-a\r\n220-b\r\n220 c\r\n250 x\r\n", "220", "\r\n\r\n", "220-\r\n", "554 no\n", strings.Repeat("x", 5000)} {
		f.Add(in)
	}
	f.Fuzz(func(t *testing.T, in string) {
		r := bufio.NewReader(strings.NewReader(in))
		first, whole := readReply(r)
		if strings.ContainsRune(first, '\n') || !strings.Contains(in, first) {
			t.Errorf("the first line of %q = %q", in, first)
		}
		rest, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		used := in[:len(in)-len(rest)]
		if !strings.HasSuffix(in, string(rest)) || whole && !strings.HasSuffix(used, "\n") || !whole && len(rest) > 0 {
			t.Errorf("of %q, %q was used (whole: %t)", in, used, whole)
		}
	})
}
