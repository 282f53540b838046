package config

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// A shape is what stands at a key.
type shape int

const (
	value    shape = iota // One scalar.
	values                // A list of scalars.
	section               // Keys.
	sections              // A list of sections.
)

// A key is one field of the tree of structs, with all that its tags say. It is not changed after it is made.
type key struct {
	name    string // "ipv4"
	path    string // "egress.sources[].ipv4"; "" for the root.
	field   string // "Source.IPv4", by which its comment is found.
	index   int    // Of the field in its struct.
	shape   shape
	keys    []*key       // Of a section, or of each of sections, in the order of the fields.
	pointer bool         // Absent means inherit.
	typ     reflect.Type // Of one scalar, or of one section.
	scalar  scalar       // Of value and values.
	list    bool         // It is in a list of sections, and no path of its own leads to it.

	def     string // As in the tag.
	hasDef  bool
	bounds  *bounds
	zero    string // What 0 means beside the bounds; "" if it is not allowed.
	enum    []string
	isPath  bool
	host    string
	example string
	reload  string
}

// bounds are the smallest and the largest value of a key, as Go and as text.
type bounds struct {
	min, max         float64
	minText, maxText string
}

// tree is the schema of Config.
var tree = sync.OnceValue(func() *key { return newSchema(reflect.TypeFor[Config]()) })

// newSchema reads the schema off a struct type. It panics if a tag is wrong, as regexp.MustCompile does.
func newSchema(t reflect.Type) *key {
	root := &key{shape: section, typ: t}
	root.addFields(nil)
	return root
}

// addFields adds a key for each exported field of k's struct. Of defs, a field's name leads to its default if its
// own tag has none.
func (k *key) addFields(defs map[string]string) {
	for f := range k.typ.Fields() {
		if !f.IsExported() {
			continue
		}
		k.keys = append(k.keys, k.newKey(f, defs))
	}
}

func (k *key) newKey(f reflect.StructField, defs map[string]string) *key {
	c := &key{name: f.Tag.Get("mapstructure"), index: f.Index[0], field: k.typ.Name() + "." + f.Name, list: k.list}
	c.path = c.name
	if k.path != "" {
		c.path = k.path + "." + c.name
	}
	c.zero, c.host, c.example = f.Tag.Get("zero"), f.Tag.Get("host"), f.Tag.Get("example")
	c.isPath = f.Tag.Get("kind") == "path"
	c.reload = cmp.Or(f.Tag.Get("reload"), k.reload)
	if e := f.Tag.Get("enum"); e != "" {
		c.enum = strings.Split(e, ",")
	}
	if c.def, c.hasDef = f.Tag.Lookup("default"); !c.hasDef {
		c.def, c.hasDef = defs[c.name], defs[c.name] != ""
	}
	c.setType(f.Type)
	c.setBounds(f.Tag.Get("range"))
	return c
}

// setType finds the key's shape, and the keys below it.
func (k *key) setType(t reflect.Type) {
	if t.Kind() == reflect.Pointer {
		k.pointer, t = true, t.Elem()
	}
	many := t.Kind() == reflect.Slice
	if many {
		t = t.Elem()
	}
	k.typ = t
	s, ok := scalarOf(t)
	switch {
	case ok && many:
		k.shape, k.scalar = values, s
	case ok:
		k.shape, k.scalar = value, s
	case t.Kind() != reflect.Struct:
		panic(fmt.Sprintf("config: %s: no key can be a %v", k.field, t))
	case many:
		k.shape, k.list = sections, true
		k.path += "[]"
		k.addFields(nil)
	default:
		k.shape = section
		k.addFields(pairs(k.def))
		k.def, k.hasDef = "", false
	}
}

// pairs reads "soft=12h,hard=72h", by which a section's tag gives the defaults of its keys.
func pairs(s string) map[string]string {
	m := map[string]string{}
	for p := range strings.SplitSeq(s, ",") {
		if name, def, ok := strings.Cut(p, "="); ok {
			m[name] = def
		}
	}
	return m
}

func (k *key) setBounds(tag string) {
	if tag == "" {
		return
	}
	lo, hi, _ := strings.Cut(tag, "..")
	k.bounds = &bounds{min: k.number(lo), max: k.number(hi), minText: lo, maxText: hi}
}

// number reads one end of a range tag.
func (k *key) number(text string) float64 {
	v, err := k.scalar.parse(text)
	if err != nil {
		panic(fmt.Sprintf("config: %s: range: %v", k.field, err))
	}
	return magnitude(v)
}

// magnitude is a number, or the nanoseconds of a duration, for comparing.
func magnitude(v any) float64 {
	if r := reflect.ValueOf(v); r.CanInt() {
		return float64(r.Int())
	}
	return reflect.ValueOf(v).Float()
}

// parse reads one scalar and checks it against the key's tags. The error is for the operator.
func (k *key) parse(text string) (any, error) {
	v, err := k.scalar.parse(text)
	if err != nil {
		return nil, err
	}
	if k.enum != nil && !slices.Contains(k.enum, text) {
		return nil, fmt.Errorf("%s is not one of %s", quote(text), strings.Join(k.enum, ", "))
	}
	if k.bounds == nil {
		return v, nil
	}
	n := magnitude(v)
	if k.bounds.min <= n && n <= k.bounds.max || n == 0 && k.zero != "" {
		return v, nil
	}
	return nil, fmt.Errorf("%s is out of range: %s", clip(text), k.allowed())
}

// allowed is the range in words, or "" if there is none.
func (k *key) allowed() string {
	if k.bounds == nil {
		return ""
	}
	s := k.bounds.minText + " to " + k.bounds.maxText
	if k.zero != "" {
		s += ", or 0: " + k.zero
	}
	return s
}

// parseList reads scalars separated by commas, as they stand in the environment and in default tags.
func (k *key) parseList(text string) (any, error) {
	list := reflect.Zero(reflect.SliceOf(k.typ))
	if strings.TrimSpace(text) == "" {
		return list.Interface(), nil
	}
	for item := range strings.SplitSeq(text, ",") {
		v, err := k.parse(strings.TrimSpace(item))
		if err != nil {
			return nil, err
		}
		list = reflect.Append(list, reflect.ValueOf(v).Convert(k.typ))
	}
	return list.Interface(), nil
}

// parseText reads a value or a list of values.
func (k *key) parseText(text string) (any, error) {
	if k.shape == values {
		return k.parseList(text)
	}
	return k.parse(text)
}

// child is the key of this name below k, or nil.
func (k *key) child(name string) *key {
	for _, c := range k.keys {
		if c.name == name {
			return c
		}
	}
	return nil
}

// all calls f for k and for all that is below it, in the order of the fields.
func (k *key) all(f func(*key)) {
	f(k)
	for _, c := range k.keys {
		c.all(f)
	}
}

// leaf reports whether k has a path of its own and a value that the environment and a default can give.
func (k *key) leaf() bool { return !k.list && (k.shape == value || k.shape == values) }

// defaultValue is the default as Go has it. A key without one has its type's zero value. A wrong tag panics, as in
// newSchema.
func (k *key) defaultValue() any {
	if !k.hasDef && k.shape == value {
		return reflect.Zero(k.typ).Interface()
	}
	v, err := k.parseText(k.def)
	if err != nil {
		panic(fmt.Sprintf("config: %s: default: %v", k.field, err))
	}
	return v
}

// plainPath is k's path as one writes it.
func (k *key) plainPath() string { return strings.TrimSuffix(k.path, "[]") }
