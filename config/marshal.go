package config

import (
	"bytes"
	"encoding/json"
	"reflect"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Marshal is c as YAML: every key with the value that is in force. Loading it yields the same values.
func Marshal(c *Config) []byte {
	p := &printer{}
	p.section(tree(), reflect.ValueOf(c).Elem(), "")
	return []byte(p.b.String())
}

// A printer writes values as YAML, in the order of the schema.
type printer struct {
	b strings.Builder
}

// section writes the keys of the struct v, each line after indent.
func (p *printer) section(k *key, v reflect.Value, indent string) {
	for _, c := range k.keys {
		f := v.Field(c.index)
		switch c.shape {
		case section:
			p.b.WriteString(indent + c.name + ":\n")
			p.section(c, f, indent+"  ")
		case sections:
			p.sections(c, f, indent)
		default:
			if text, ok := c.text(f); ok {
				p.b.WriteString(indent + c.name + ": " + text + "\n")
			}
		}
	}
}

// sections writes a list of structs. The first key of each stands on the line of its hyphen.
func (p *printer) sections(k *key, v reflect.Value, indent string) {
	if v.Len() == 0 {
		p.b.WriteString(indent + k.name + ": []\n")
		return
	}
	p.b.WriteString(indent + k.name + ":\n")
	for i := range v.Len() {
		item := &printer{}
		item.section(k, v.Index(i), indent+"    ")
		p.b.WriteString(indent + "  - " + strings.TrimPrefix(item.b.String(), indent+"    "))
	}
}

// text is what stands after the colon of a value or a list of values, and false for a limit that is absent.
func (k *key) text(v reflect.Value) (string, bool) {
	if k.pointer {
		if v.IsNil() {
			return "", false
		}
		v = v.Elem()
	}
	if k.shape == value {
		return k.one(v), true
	}
	items := make([]string, v.Len())
	for i := range items {
		items[i] = k.one(v.Index(i))
	}
	return "[" + strings.Join(items, ", ") + "]", true
}

// one is a scalar as YAML, in quotes where it would else be read as something different.
func (k *key) one(v reflect.Value) string {
	text := k.scalar.text(v.Interface())
	if k.scalar.tag != "" || isPlain(text) {
		return text
	}
	return doubleQuoted(text)
}

// plain are texts that mean themselves in block and flow style, if YAML doesn't take them for something else.
var plain = regexp.MustCompile(`^[A-Za-z0-9/.][A-Za-z0-9/._@+-]*$`)

func isPlain(text string) bool {
	var n yaml.Node
	return plain.MatchString(text) && yaml.Unmarshal([]byte(text), &n) == nil && n.Content[0].ShortTag() == "!!str"
}

// doubleQuoted is text in YAML's double quotes, of whose escapes those of JSON are a part.
func doubleQuoted(text string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(text); err != nil {
		panic("config: a string has no JSON form: " + err.Error())
	}
	return strings.TrimSuffix(b.String(), "\n")
}
