package config

import (
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestDocumentIsTheDefaults: whoever starts from the annotated file has changed nothing, as root or not.
func TestDocumentIsTheDefaults(t *testing.T) {
	path := write(t, string(Document()))
	for _, row := range []struct {
		name string
		host host
	}{
		{"root", root},
		{"a user", host{environ: []string{"HOME=/home/ada", "XDG_RUNTIME_DIR=/run/user/1000"}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := load(path, row.host)
			if err != nil {
				t.Fatal(err)
			}
			if got.IsSet("socket.group") {
				t.Error("it sets socket.group, so that a host without the group cannot start")
			}
			got.origin = origin{}
			if want := Default(row.host.root, row.host.environ); !reflect.DeepEqual(got, want) {
				t.Errorf("load(Document()) = %+v, want %+v", got, want)
			}
		})
	}
}

// TestDocumentShowsEveryKey as a line, commented out only where the default depends on the host.
func TestDocumentShowsEveryKey(t *testing.T) {
	c := mustLoad(t, string(Document()))
	tree().all(func(k *key) {
		if k.path == "" || k.list && k.shape != sections || k.shape == section {
			return
		}
		if got, want := c.IsSet(k.plainPath()), k.host == ""; got != want {
			t.Errorf("%s is in force in the annotated file: %v, want %v", k.plainPath(), got, want)
		}
	})
}

// TestDocumentExamples takes the comment sign off every example: what is shown must load.
func TestDocumentExamples(t *testing.T) {
	c := mustLoad(t, uncomment(string(Document())))
	want := []Source{{Name: "a", IPv4: c.Egress.Sources[0].IPv4, IPv6: c.Egress.Sources[0].IPv6, EHLO: "a.egress.example.net", Weight: new(1), Warmup: "none"}}
	if !reflect.DeepEqual(c.Egress.Sources, want) || c.Egress.Sources[0].IPv4.String() != "192.0.2.10" {
		t.Errorf("sources = %+v", c.Egress.Sources)
	}
	if got := c.Replies[0].Class + " " + c.Egress.Sender + " " + c.Resolver.Servers[1]; got != "mailbox_full probe@egress.example.net [::1]:53" {
		t.Errorf("class, sender, server = %q", got)
	}
}

// uncomment puts each example in the place of the line that it is for.
func uncomment(document string) string {
	var out []string
	inExample := false
	for line := range strings.SplitSeq(document, "\n") {
		indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
		rest, comment := strings.CutPrefix(line[len(indent):], "# ")
		name, _, _ := strings.Cut(rest, ":")
		shown := slices.IndexFunc(out, func(l string) bool { return strings.HasPrefix(l, indent+name+":") })
		switch {
		case !comment:
			inExample = false
			out = append(out, line)
		case inExample:
			out = append(out, indent+rest)
		case shown >= 0 && !strings.Contains(name, " "):
			out = append(slices.Delete(out, shown, shown+1), indent+rest)
			inExample = strings.HasSuffix(rest, ":")
		}
	}
	return strings.Join(out, "\n")
}

func TestMarshal(t *testing.T) {
	for _, row := range []struct{ name, text string }{
		{"the defaults", ""},
		{"lists and lifted limits", `
egress:
  sender: "probe+tag@egress.example.net"
  allow_networks: [10.0.0.0/8, "fd00::/8"]
  sources:
    - {name: "1", ipv6: "2001:db8::1", ehlo: "[IPv6:2001:db8::1]"}
    - {name: b, ipv4: 192.0.2.1}
  limits: {sessions: 0, idle: 0, session_age: 90m}
`},
		{"text that YAML could misread", `
socket: {group: "0x10"}
never_probe: ["true", "null", "~", "1.5", "- a", "a:b", "#x", "\u00e9", "{", "*", "2001-01-01", "\"quoted\"", "<>&", "=", "<<"]
replies: [{name: a, class: other, words: ["a, b", " lead", "trail ", "x: y"], code: 550, retry: 1m}]
`},
	} {
		t.Run(row.name, func(t *testing.T) {
			want, err := load(write(t, strings.ReplaceAll(row.text, `"- a"`, `"-a"`)), root)
			if err != nil {
				t.Fatal(err)
			}
			text := string(Marshal(want))
			got := mustLoad(t, text)
			got.origin, want.origin = origin{}, origin{}
			if !reflect.DeepEqual(got, want) {
				t.Errorf("load(Marshal(c)) = %+v, want %+v; the text is\n%s", got, want, text)
			}
		})
	}
	c := mustLoad(t, "egress: {sources: [{name: a, ipv4: 192.0.2.1}], limits: {session_age: 90m}}")
	for _, want := range []string{"\n    - name: a\n      ipv4: 192.0.2.1\n", "\n    session_age: 1h30m\n", "mode: \"0660\"\n"} {
		if !strings.Contains(string(Marshal(c)), want) {
			t.Errorf("Marshal has no %q:\n%s", want, Marshal(c))
		}
	}
}

func TestDiff(t *testing.T) {
	base := "egress: {sender: a@example.org, sources: [{name: a, ipv4: 192.0.2.1}], limits: {sessions: 2}}\n"
	for _, row := range []struct {
		name, text    string
		live, restart []string
	}{
		{"nothing", base, nil, nil},
		{"a default written out", base + "log: {level: info}\nnever_probe: []\n", nil, nil},
		{"live", strings.Replace(base, "sessions: 2", "sessions: 0", 1) + "never_probe: [b.example]\n", []string{"egress.limits.sessions", "never_probe"}, nil},
		{"restart", base + "socket: {mode: \"0600\"}\nstate_dir: /srv\n", nil, []string{"socket.mode", "state_dir"}},
		{"a key in a source", strings.Replace(base, "name: a", "name: b", 1), []string{"egress.sources"}, nil},
		{"both in one section", base + "log: {level: debug, format: console}\n", []string{"log.level"}, []string{"log.format"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			live, restart := Diff(mustLoad(t, base), mustLoad(t, row.text))
			if !slices.Equal(live, row.live) || !slices.Equal(restart, row.restart) {
				t.Errorf("Diff = %q, %q, want %q, %q", live, restart, row.live, row.restart)
			}
		})
	}
}
