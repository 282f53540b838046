package preflight

import (
	"bufio"
	"context"
	"io"
	"net"
	"strings"
	"time"
)

// What a mail server gets to greet us, and to answer a QUIT.
const (
	greetTimeout = 10 * time.Second
	quitTimeout  = 2 * time.Second
)

// farewell waits for the greeting, says QUIT, and closes: a connection that breaks off looks like a scan. Whoever does not
// greet in time gets no QUIT: a command before the greeting would be worse. It returns the first line of the greeting.
func farewell(ctx context.Context, c net.Conn) string {
	defer c.Close()
	defer context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })() // On a closed connection, that fails.
	_ = c.SetDeadline(time.Now().Add(greetTimeout))                               // If this fails, so does the read.
	r := bufio.NewReader(io.LimitReader(c, 16<<10))
	greeting, ok := readReply(r)
	if !ok {
		return greeting
	}
	_ = c.SetDeadline(time.Now().Add(quitTimeout))
	if _, err := io.WriteString(c, "QUIT\r\n"); err == nil {
		readReply(r)
	}
	return greeting
}

// readReply reads a reply to its last line and returns its first, RFC 5321 §4.2.1.
func readReply(r *bufio.Reader) (first string, whole bool) {
	for {
		line, err := r.ReadString('\n')
		line = strings.TrimRight(line, "\r\n")
		if first == "" {
			first = line
		}
		if err != nil {
			return first, false
		}
		if len(line) < 4 || line[3] != '-' {
			return first, true
		}
	}
}
