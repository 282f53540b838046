package config

import (
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "rewrite generated files and goldens")

// TestGenerated holds the files that are generated from the tree equal to it.
func TestGenerated(t *testing.T) {
	for _, f := range []struct {
		path string
		want []byte
	}{
		{"../verimaild.yaml", Document()},
		{"../docs/configuration.md", Reference()},
	} {
		t.Run(f.path, func(t *testing.T) { golden(t, f.path, f.want) })
	}
}

// golden compares got with the file at path, or rewrites the file with -update.
func golden(t *testing.T, path string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s is not what it would be now; run go generate ./config and look at the difference:\n%s", path, got)
	}
}
