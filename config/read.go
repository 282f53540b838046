package config

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// maxFile is the most that is read of a file. A configuration with a thousand sources has a tenth of it.
const maxFile = 1 << 20

// readFile is the text of the file at path, without a byte order mark. It reads at most maxFile bytes, whatever the
// file's size says.
func readFile(path string) (string, Faults) {
	f, err := os.Open(path) //nolint:gosec // G304: the file that the operator names.
	if err != nil {
		return "", Faults{unreadable(path, err)}
	}
	defer func() { _ = f.Close() }() // Nothing was written.
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return "", Faults{{File: path, Problem: "is a directory; the path of the file is needed"}}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	switch {
	case err != nil:
		return "", Faults{unreadable(path, err)}
	case len(text) > maxFile:
		return "", Faults{{File: path, Problem: fmt.Sprintf("is larger than %d KiB, the most that is read", maxFile>>10)}}
	}
	return strings.TrimPrefix(string(text), "\ufeff"), nil
}

// unreadable is the fault of a file that the system does not let us read.
func unreadable(path string, err error) Fault {
	reason := err
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		reason = pe.Err // Its text has the path again.
	}
	return Fault{File: path, Problem: "cannot be read: " + reason.Error(), Err: err}
}

// parse is the root of the one YAML document in text, or nil if there is nothing in it. Its faults do not name the
// file.
func parse(text string) (*yaml.Node, Faults) {
	if f, bad := badCharacter(text); bad {
		return nil, Faults{f}
	}
	lines := &lineReader{text: text}
	dec := yaml.NewDecoder(lines)
	doc, err := decode(dec)
	if errors.Is(err, io.EOF) {
		return nil, nil
	}
	if err != nil {
		return nil, syntaxFaults(text, lines.read, err)
	}
	second, err := decode(dec)
	switch {
	case errors.Is(err, io.EOF):
		return doc.Content[0], nil
	case err != nil:
		return nil, syntaxFaults(text, lines.read, err)
	}
	return nil, Faults{{Line: second.Line, Column: second.Column, Problem: "a second YAML document starts here; there may be only one"}}
}

// decode is the next document, a node with one node in it. The parser panics on a few malformed inputs; here that is
// an error.
func decode(dec *yaml.Decoder) (doc *yaml.Node, err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("yaml: the parser gave up: %v", r)
		}
	}()
	doc = new(yaml.Node)
	if err := dec.Decode(doc); err != nil {
		return nil, err
	}
	return doc, nil
}

// badCharacter finds the first character that no text file has. YAML itself would read UTF-16 too, and it would end
// lines, comments among them, where few editors do.
func badCharacter(text string) (Fault, bool) {
	line, column := 1, 1
	for i, r := range text {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\uFFFD"):
			return Fault{Line: line, Column: column, Problem: fmt.Sprintf("is not UTF-8 text: byte 0x%02x", text[i])}, true
		case r == '\r' && !strings.HasPrefix(text[i:], "\r\n"), r == 0x85, r == 0x2028, r == 0x2029:
			return Fault{Line: line, Column: column, Problem: fmt.Sprintf("is not text: U+%04X ends no line here; write a line feed", r)}, true
		case r != '\t' && r != '\n' && r != '\r' && unicode.IsControl(r):
			return Fault{Line: line, Column: column, Problem: fmt.Sprintf("is not text: control character U+%04X", r)}, true
		case r == '\n':
			line, column = line+1, 0
		}
		column++
	}
	return Fault{}, false
}

// syntaxFaults says where the text is not YAML: at its tabs, if lines are indented with them, since that is what
// confuses the parser; otherwise where the parser says, which may be a line or two too early, up to where it stopped.
func syntaxFaults(text string, read int, err error) Faults {
	var faults Faults
	for i, line := range strings.Split(text, "\n") {
		rest := strings.TrimLeft(line, " ")
		if strings.HasPrefix(rest, "\t") && strings.TrimSpace(rest) != "" {
			faults = append(faults, Fault{Line: i + 1, Column: len(line) - len(rest) + 1, Problem: "is indented with a tab; YAML wants spaces"})
		}
	}
	if faults != nil {
		return faults
	}
	m := parserError.FindStringSubmatch(err.Error())
	from, _ := strconv.Atoi(m[1])
	if from == 0 {
		from = 1
	}
	problem := "is not valid YAML: " + m[2]
	if read > from {
		problem = fmt.Sprintf("is not valid YAML between here and line %d: %s", read, m[2])
	}
	return Faults{{Line: from, Problem: problem, Err: err}}
}

// parserError splits a message of the parser, which tells its position in no other way, for display.
var parserError = regexp.MustCompile(`(?s)^(?:yaml: )?(?:line (\d+): )?(.*)$`)

// A lineReader hands out its text one line at a read, so that the lines read show how far the parser has come.
type lineReader struct {
	text string
	read int
}

func (l *lineReader) Read(p []byte) (int, error) {
	if l.text == "" {
		return 0, io.EOF
	}
	line, _, _ := strings.Cut(l.text, "\n")
	n := copy(p, l.text[:min(len(line)+1, len(l.text))])
	if n > len(line) || n == len(l.text) {
		l.read++
	}
	l.text = l.text[n:]
	return n, nil
}
