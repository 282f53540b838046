package cli

import (
	"os"
	"strings"
	"testing"
)

// TestDocumentedCommands parses every command of ours in the documents: it exists, and takes these flags and arguments.
func TestDocumentedCommands(t *testing.T) {
	for _, path := range []string{"../../../README.md", "../../../docs/operations.md"} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		found, inShell := 0, false
		for line := range strings.Lines(string(text)) {
			line = strings.TrimSpace(line)
			if strings.HasPrefix(line, "```") {
				inShell = line == "```sh"
				continue
			}
			words := shellWords(line)
			if !inShell || len(words) == 0 || words[0] != "verimaild" {
				continue
			}
			found++
			cmd, rest, err := newRoot(stdio{}).Find(words[1:])
			if err == nil {
				err = cmd.ParseFlags(rest)
			}
			if err == nil {
				err = cmd.ValidateArgs(cmd.Flags().Args())
			}
			if err != nil || cmd.RunE == nil {
				t.Errorf("%s: %q: %v, want a command that runs", path, line, err)
			}
		}
		if found == 0 {
			t.Errorf("%s: no command of ours", path)
		}
	}
}

// shellWords splits a line as a shell does, as far as the documents need it: single quotes, and comments.
func shellWords(line string) []string {
	var words []string
	for i, part := range strings.Split(line, "'") {
		if i%2 == 1 {
			words = append(words, part)
			continue
		}
		part, comment, _ := strings.Cut(part, "# ")
		words = append(words, strings.Fields(part)...)
		if comment != "" {
			break
		}
	}
	return words
}
