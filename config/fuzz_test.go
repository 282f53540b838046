package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// FuzzLoad holds that no text makes loading panic, that each fault says something and lies within the text, and that
// what loads survives being written and read again.
func FuzzLoad(f *testing.F) {
	f.Add(string(Document()))
	f.Add(uncomment(string(Document())))
	files, err := filepath.Glob("testdata/faults/*.yaml")
	if err != nil {
		f.Fatal(err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		c, err := loadText(text)
		if err != nil {
			checkFaults(t, text, err)
			return
		}
		again, err := loadText(string(Marshal(c)))
		if err != nil {
			t.Fatalf("Marshal does not load: %v\n%s", err, Marshal(c))
		}
		c.origin, again.origin = origin{}, origin{}
		if !reflect.DeepEqual(c, again) {
			t.Errorf("Marshal loads as %+v, want %+v", again, c)
		}
	})
}

func checkFaults(t *testing.T, text string, err error) {
	t.Helper()
	faults, ok := errors.AsType[Faults](err)
	if !ok || len(faults) == 0 {
		t.Fatalf("load = %T %v, want Faults", err, err)
	}
	for _, f := range faults {
		if f.Problem == "" || strings.ContainsAny(f.Error(), "\r\n\x00") {
			t.Errorf("the message of a fault is %q", f.Error())
		}
		if f.Line < 0 || f.Line > strings.Count(text, "\n")+1 {
			t.Errorf("%q: a fault in line %d of %d", f.Error(), f.Line, strings.Count(text, "\n")+1)
		}
	}
}

// loadText loads text as the file of a host without environment.
func loadText(text string) (*Config, error) {
	o := &origin{file: "/etc/fuzz.yaml", places: map[string]place{}}
	values, faults := fromText(tree(), text, o)
	return build(root, o, values, faults, nil)
}
