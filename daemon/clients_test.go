package daemon

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// interpreters run the examples of docs/clients.md.
var interpreters = map[string][]string{"sh": {"sh", "-e"}, "python": {"python3"}, "js": {"node"}, "php": {"php"}}

// TestClientExamples runs each example of docs/clients.md against a sandbox: it prints what stands behind it. CI has all
// languages; elsewhere those that are missing are passed over.
func TestClientExamples(t *testing.T) {
	dir := shortDir(t)
	r := startWith(t, Options{Config: load(t, dir, "socket: {path: "+dir+"/s}\nstate_dir: "+dir+"/state\n"), Sandbox: true})
	examples := regexp.MustCompile("(?s)```(sh|python|js|php)\n(.*?)```\n\n```text\n(.*?)```").FindAllStringSubmatch(readFile(t, "../docs/clients.md"), -1)
	if len(examples) != 5 {
		t.Fatalf("docs/clients.md has %d examples with what they print, want 5", len(examples))
	}
	for _, e := range examples {
		t.Run(e[1], func(t *testing.T) {
			argv := interpreters[e[1]]
			if _, err := exec.LookPath(argv[0]); err != nil {
				if os.Getenv("CLIENT_EXAMPLES") == "all" {
					t.Fatalf("CI lacks %s", argv[0])
				}
				t.Skipf("there is no %s on this host", argv[0])
			}
			file := filepath.Join(t.TempDir(), "example")
			if err := os.WriteFile(file, []byte(e[2]), 0o600); err != nil {
				t.Fatal(err)
			}
			cmd := exec.CommandContext(t.Context(), argv[0], append(argv[1:], file)...)
			cmd.Env = append(os.Environ(), "VERIMAILD_SOCKET="+r.Socket())
			var stderr strings.Builder
			cmd.Stderr = &stderr
			out, err := cmd.Output()
			if err != nil || string(out) != e[3] {
				t.Errorf("%v\n%s\nit printed\n%s\nwant\n%s", err, stderr.String(), out, e[3])
			}
		})
	}
}
