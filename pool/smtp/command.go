package smtp

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// maxPath bounds a path without its angle brackets: 64 octets of local-part, "@", 255 of domain.
const maxPath = 64 + 1 + 255

// A Transaction asks about recipients under one reverse-path.
type Transaction struct {
	// ReversePath is the sender, without angle brackets. It must not be empty.
	ReversePath string
	// SMTPUTF8 announces that a path is not ASCII, RFC 6531 §3.4. The server must offer the extension.
	SMTPUTF8 bool
	// Recipients are forward-paths without angle brackets, local-parts quoted where needed. There may be none:
	// MAIL and RSET alone show whether the sender is welcome.
	Recipients []string
	// Stepwise sends one command at a time even where the server offers PIPELINING. One such transaction makes
	// the whole Run stepwise.
	Stepwise bool
}

// commands is how many commands t consists of.
func (t *Transaction) commands() int { return len(t.Recipients) + 2 }

// octets is how many octets they have, or a few more.
func (t *Transaction) octets() int {
	n := len("MAIL FROM:<> SMTPUTF8\r\nRSET\r\n") + len(t.ReversePath)
	for _, r := range t.Recipients {
		n += len("RCPT TO:<>\r\n") + len(r)
	}
	return n
}

// check reports what about t must not be sent.
func (t *Transaction) check() error {
	if t.ReversePath == "" {
		return ErrNullReversePath
	}
	if err := checkPath(t.ReversePath, t.SMTPUTF8); err != nil {
		return fmt.Errorf("reverse-path: %w", err)
	}
	for i, r := range t.Recipients {
		if err := checkPath(r, t.SMTPUTF8); err != nil {
			return fmt.Errorf("recipient %d: %w", i, err)
		}
	}
	return nil
}

// A cursor points at one command of a list of transactions: -1 is MAIL, then come the recipients, then RSET.
type cursor struct{ tx, cmd int }

const cmdMAIL = -1

// stage is the kind of command that c points at.
func (c cursor) stage(txs []Transaction) Stage {
	switch {
	case c.cmd == cmdMAIL:
		return StageMAIL
	case c.cmd < len(txs[c.tx].Recipients):
		return StageRCPT
	default:
		return StageRSET
	}
}

// next points at the command after c.
func (c cursor) next(txs []Transaction) cursor {
	if c.cmd < len(txs[c.tx].Recipients) {
		return cursor{c.tx, c.cmd + 1}
	}
	return cursor{c.tx + 1, cmdMAIL}
}

// appendCommand appends the command that c points at, with its CRLF.
func appendCommand(b []byte, txs []Transaction, c cursor) []byte {
	t := &txs[c.tx]
	switch c.stage(txs) {
	case StageMAIL:
		b = append(b, "MAIL FROM:<"...)
		b = append(b, t.ReversePath...)
		b = append(b, '>')
		if t.SMTPUTF8 {
			b = append(b, " SMTPUTF8"...)
		}
	case StageRCPT:
		b = append(b, "RCPT TO:<"...)
		b = append(b, t.Recipients[c.cmd]...)
		b = append(b, '>')
	default:
		b = append(b, "RSET"...)
	}
	return append(b, '\r', '\n')
}

// checkPath reports whether a path would stay inside its angle brackets. That its syntax is right is the caller's
// business; that it cannot become a second command is ours, whoever calls.
func checkPath(path string, utf8OK bool) error {
	if path == "" || len(path) > maxPath {
		return ErrUnsafeArgument
	}
	if !utf8OK && !isASCII(path) || !utf8.ValidString(path) {
		return ErrUnsafeArgument
	}
	rest, err := skipQuoted(path)
	if err != nil {
		return err
	}
	if strings.ContainsFunc(rest, func(r rune) bool { return unsafeRune(r) || r == ' ' || r == '<' || r == '>' || r == '"' }) {
		return ErrUnsafeArgument
	}
	return nil
}

// skipQuoted is what follows the quoted string at the head of path, if there is one; spaces and brackets are harmless
// inside it.
func skipQuoted(path string) (string, error) {
	if path[0] != '"' {
		return path, nil
	}
	escaped := false
	for i, r := range path[1:] {
		switch {
		case unsafeRune(r):
			return "", ErrUnsafeArgument
		case escaped:
			escaped = false
		case r == '\\':
			escaped = true
		case r == '"':
			return path[1+i+1:], nil
		}
	}
	return "", ErrUnsafeArgument // Never closed.
}

// unsafeRune reports whether r is a control character, which no command may hold: C0, DEL, C1, and the line and
// paragraph separators.
func unsafeRune(r rune) bool {
	return r < ' ' || r >= 0x7f && r < 0xa0 || r == 0x2028 || r == 0x2029
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// checkLocalName reports whether name can be the argument of EHLO: an address literal, or a host name of two labels
// or more (a lone "localhost" is refused by many servers and says nothing).
func checkLocalName(name string) error {
	literal := strings.HasPrefix(name, "[") && strings.HasSuffix(name, "]")
	if len(name) > 255 || !isASCII(name) || !literal && !strings.Contains(strings.Trim(name, "."), ".") {
		return fmt.Errorf("EHLO name %q: %w", name, ErrUnsafeArgument)
	}
	if strings.ContainsFunc(name, func(r rune) bool { return unsafeRune(r) || r == ' ' }) {
		return fmt.Errorf("EHLO name %q: %w", name, ErrUnsafeArgument)
	}
	return nil
}
