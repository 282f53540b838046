package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestClean(t *testing.T) {
	in := inputs{
		disposable: []string{"Trash.example", "a.trash.example", "relay.example", "com.ar", "x.github.io", "müll.example", "no domain", "trash.example"},
		free: []string{
			"gmail.com", "facebook.com", "goodmail.com", "trash.example", "trashmail.com", "relaymail.com", "companymail.com",
			"mail.company.com", "onlyoneinbox.com", "net.ua",
		},
		providers: []string{
			"gmail.com", "facebook.com", "goodmail.com", "trash.example", "trashmail.com", "relaymail.com", "companymail.com",
			"mail.company.com", "net.ua",
		},
		checker: []string{"trashmail.com"},
		relays:  []string{"relay.example", "relaymail.com"},
		known:   []string{"gmail.com", "orange.fr"},
		not:     []string{"companymail.com"},
	}
	out, err := clean(in)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"trash.example", "x.github.io", "xn--mll-hoa.example"}; !slices.Equal(out.disposable, want) {
		t.Errorf("disposable = %q, want %q", out.disposable, want)
	}
	if want := []string{"gmail.com", "goodmail.com", "orange.fr"}; !slices.Equal(out.free, want) {
		t.Errorf("free = %q, want %q", out.free, want)
	}
}

func TestCleanWantsAgreement(t *testing.T) {
	tests := []struct {
		name string
		in   inputs
		want string
	}{
		{"known and disposable", inputs{known: []string{"a.example"}, disposable: []string{"a.example"}}, "a.example is also disposable"},
		{"known and a relay", inputs{known: []string{"a.example"}, relays: []string{"a.example"}}, "a.example is also"},
		{"known and not", inputs{known: []string{"a.example"}, not: []string{"a.example"}}, "a.example is also"},
		{"known is a public suffix", inputs{known: []string{"co.uk"}}, "co.uk is also"},
		{"known is no domain", inputs{known: []string{"a b"}}, "not domains"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := clean(tt.in); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("clean = %v, want an error with %q", err, tt.want)
			}
		})
	}
}

// archive makes an npm package with the given files.
func archive(t *testing.T, files map[string]string) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	zw := gzip.NewWriter(&b)
	tw := tar.NewWriter(zw)
	for name, content := range files {
		if err := tw.WriteHeader(&tar.Header{Name: "package/" + name, Mode: 0o644, Size: int64(len(content))}); err != nil {
			t.Fatal(err)
		}
		if _, err := tw.Write([]byte(content)); err != nil {
			t.Fatal(err)
		}
	}
	if err := tw.Close(); err != nil {
		t.Fatal(err)
	}
	if err := zw.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

func TestReadPackage(t *testing.T) {
	var names []string
	for i := range 200 {
		names = append(names, fmt.Sprintf("n%d.example", i))
	}
	list, err := json.Marshal(names)
	if err != nil {
		t.Fatal(err)
	}
	about := `{"version":"1.2.3","license":"MIT"}`
	s := source{"p", "MIT", "list.js", "LICENSE"}
	tests := []struct {
		name  string
		files map[string]string
		want  string // In the error; "" for none.
	}{
		{"JSON", map[string]string{"package.json": about, "list.js": string(list), "LICENSE": "text"}, ""},
		{"JavaScript", map[string]string{"package.json": about, "list.js": "var a=[1],b=['x'],s=new Set(" + string(list) + ");", "LICENSE": "text"}, ""},
		{"other licence", map[string]string{"package.json": `{"license":"GPL-3.0"}`, "list.js": string(list), "LICENSE": "text"}, "the licence is now"},
		{"no licence text", map[string]string{"package.json": about, "list.js": string(list)}, "lacks map[LICENSE"},
		{"no names", map[string]string{"package.json": about, "list.js": "[]", "LICENSE": "text"}, "no array of names"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := s.read(archive(t, tt.files))
			if tt.want != "" {
				if err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("read = %v, want an error with %q", err, tt.want)
				}
				return
			}
			if err != nil || p.version != "1.2.3" || !slices.Equal(p.names, names) || string(p.licenceText) != "text" {
				t.Errorf("read = version %q, %d names, licence %q, %v", p.version, len(p.names), p.licenceText, err)
			}
		})
	}
}
