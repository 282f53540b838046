package config

import (
	"reflect"
	"strings"
	"unicode/utf8"
)

//go:generate go test -run ^TestGenerated$ -update

// documentHead opens verimaild.yaml.
const documentHead = `# The configuration of verimaild: every key with its default. This file is generated from the config package.
#
# It is looked for at /etc/verimaild/verimaild.yaml and then at ~/.config/verimaild/verimaild.yaml ($XDG_CONFIG_HOME);
# --config or VERIMAILD_CONFIG names another. Each key can be left out. A variable overrides it: VERIMAILD_ and the
# key's path in capitals, so VERIMAILD_EGRESS_SENDER for egress.sender, with commas in lists.
#
# Durations have a unit: 500ms, 90s, 15m, 24h. Relative paths begin at this file's directory. Keys whose default
# depends on the host are commented out. A reload (systemctl reload, SIGHUP) applies changes, but for those keys that
# are marked: "A change needs a restart."
#
# To check a file: verimaild config check. To see every key with the value it gets: verimaild config print.
`

// Document is verimaild.yaml: every key with its default and its documentation.
func Document() []byte {
	d := &documenter{defaults: Default(true, nil)}
	d.b.WriteString(documentHead)
	d.section(tree(), reflect.ValueOf(d.defaults).Elem(), "", map[reflect.Type]bool{})
	return []byte(d.b.String())
}

// A documenter writes the annotated file.
type documenter struct {
	b        strings.Builder
	defaults *Config
}

// width is where comments are wrapped.
const width = 118

// section writes the keys of the struct v with their comments. The keys of a type in told have been explained before.
func (d *documenter) section(k *key, v reflect.Value, indent string, told map[reflect.Type]bool) {
	again := told[k.typ]
	told[k.typ] = true
	for i, c := range k.keys {
		f := v.Field(c.index)
		if !again && (i > 0 || k.path == "") {
			d.b.WriteByte('\n')
		}
		if !again {
			d.comment(indent, c.about(k))
		}
		switch c.shape {
		case section:
			d.b.WriteString(indent + c.name + ":\n")
			d.section(c, f, indent+"  ", told)
		case sections:
			d.b.WriteString(indent + c.name + ": []\n")
			d.sections(c, indent, told)
		default:
			d.value(c, f, indent)
		}
	}
}

// value writes one key, and its example in a comment.
func (d *documenter) value(k *key, v reflect.Value, indent string) {
	text, _ := k.text(v)
	mark := ""
	if k.host != "" {
		mark = "# "
	}
	d.b.WriteString(indent + mark + k.name + ": " + text + "\n")
	if k.example != "" {
		d.b.WriteString(indent + "# " + k.name + ": " + k.exampleText() + "\n")
	}
}

// sections explains the keys of a list's sections and shows an example, all in comments.
func (d *documenter) sections(k *key, indent string, told map[reflect.Type]bool) {
	keys := k.within("", told)
	widest := 0
	for _, c := range keys {
		widest = max(widest, len(c.name)+2)
	}
	d.b.WriteString(indent + "#\n" + indent + "# The keys of each:\n")
	for _, c := range keys {
		d.wrap(indent, "#   "+pad(c.name, widest), "#   "+pad("", widest), c.about(k))
	}
	d.b.WriteString(indent + "#\n" + indent + "# " + k.name + ":\n")
	hyphen := "- "
	for _, c := range k.keys {
		if text := c.exampleText(); text != "" {
			d.b.WriteString(indent + "#   " + hyphen + c.name + ": " + text + "\n")
			hyphen = "  "
		}
	}
}

// A namedKey is a key of a list's sections, under the name that it has there: "quota.per_day".
type namedKey struct {
	*key
	name string
}

// within lists the keys below k, sections before what is in them. The keys of a type in told have been explained before.
func (k *key) within(prefix string, told map[reflect.Type]bool) []namedKey {
	var out []namedKey
	for _, c := range k.keys {
		out = append(out, namedKey{c, prefix + c.name})
		if c.shape == section && !told[c.typ] {
			out = append(out, c.within(prefix+c.name+".", told)...)
		}
	}
	return out
}

// comment writes text as a comment.
func (d *documenter) comment(indent, text string) { d.wrap(indent, "# ", "# ", text) }

// wrap writes text in lines of at most width, the first after one prefix and the others after another.
func (d *documenter) wrap(indent, first, others, text string) {
	line := indent + first
	start := utf8.RuneCountInString(line)
	for word := range strings.FieldsSeq(text) {
		n := utf8.RuneCountInString(line)
		if n > start && n+1+utf8.RuneCountInString(word) > width {
			d.b.WriteString(line + "\n")
			line, n = indent+others, start
		}
		if n > start {
			line += " "
		}
		line += word
	}
	d.b.WriteString(line + "\n")
}

// about is what is said about k in its section: its comment, its range, its default elsewhere, and what a change
// needs where that is not what the section says.
func (k *key) about(in *key) string {
	parts := []string{k.doc()}
	if k.bounds != nil {
		parts = append(parts, capital(k.allowed())+".")
	}
	if k.enum != nil && !strings.Contains(k.doc(), k.enum[0]) {
		parts = append(parts, "One of "+strings.Join(k.enum, ", ")+".")
	}
	if k.host != "" {
		parts = append(parts, k.host)
	}
	if k.reload == reloadRestart && in.reload != reloadRestart {
		parts = append(parts, "A change needs a restart.")
	}
	return strings.Join(parts, " ")
}

// exampleText is the example as YAML, "" if there is none; that of a single value is written in its tag without quotes,
// and that of a section is made of those in it.
func (k *key) exampleText() string {
	switch {
	case k.shape == section:
		var parts []string
		for _, c := range k.keys {
			if text := c.exampleText(); text != "" {
				parts = append(parts, c.name+": "+text)
			}
		}
		if parts == nil {
			return ""
		}
		return "{" + strings.Join(parts, ", ") + "}"
	case k.shape == values, k.example == "":
		return k.example
	}
	v, err := k.parse(k.example)
	if err != nil {
		panic("config: " + k.field + ": example: " + err.Error())
	}
	return k.one(reflect.ValueOf(v))
}

func pad(s string, n int) string { return s + strings.Repeat(" ", max(0, n-len(s))) }

// capital is s with its first letter in upper case.
func capital(s string) string { return strings.ToUpper(s[:1]) + s[1:] }
