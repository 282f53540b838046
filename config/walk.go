package config

import (
	"fmt"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// A walker reads a tree of YAML nodes by the schema. It descends only into keys that exist, so its depth is that of
// the schema, and it goes on after each fault, leaving the value out.
type walker struct {
	root   *key
	file   string
	base   string // The directory to which relative paths are relative.
	origin *origin
	faults Faults
}

// fault notes a fault at a node. A hostile file could have one in every line; beyond maxFaults no one reads them.
func (w *walker) fault(n *yaml.Node, key, problem, hint string) {
	if len(w.faults) < maxFaults {
		w.faults = append(w.faults, Fault{File: w.file, Line: n.Line, Column: n.Column, Key: key, Problem: problem, Hint: hint})
	}
}

// maxFaults is how many faults of one file are reported.
const maxFaults = 200

// section reads the keys of k at n. The result is what is right, by key.
func (w *walker) section(k *key, n *yaml.Node, path string) map[string]any {
	found := map[string]any{}
	w.origin.note(path, n)
	if isNull(n) { // A section whose keys are all commented out.
		return found
	}
	if n.Kind != yaml.MappingNode {
		w.fault(n, path, "must hold keys, not "+describe(n), "")
		return found
	}
	lines := map[string]int{}
	for i := 0; i+1 < len(n.Content) && len(w.faults) < maxFaults; i += 2 {
		name := n.Content[i]
		c := w.known(k, name, path, lines)
		if c == nil {
			continue
		}
		if v := w.read(c, n.Content[i+1], join(path, c.name)); v != nil {
			found[c.name] = v
		}
	}
	return found
}

// known is the key that a name node in a section stands for, or nil if there is no such key or if it was there before.
func (w *walker) known(k *key, name *yaml.Node, path string, lines map[string]int) *key {
	if name.Kind != yaml.ScalarNode {
		w.fault(name, path, "a key must be a plain word, not "+describe(name), "")
		return nil
	}
	full := join(path, printable(name.Value))
	if first, again := lines[name.Value]; again {
		w.fault(name, full, fmt.Sprintf("is set twice; the first is in line %d", first), "")
		return nil
	}
	lines[name.Value] = name.Line
	c := k.child(name.Value)
	if c == nil {
		w.fault(name, full, "unknown key", didYouMean(w.root, k, name.Value))
	}
	return c
}

// read reads what stands at k, or is nil if that is nothing, or wrong.
func (w *walker) read(k *key, n *yaml.Node, path string) any {
	if w.isShared(n, path) {
		return nil
	}
	switch k.shape {
	case section:
		return w.section(k, n, path)
	case sections:
		return w.sections(k, n, path)
	case values:
		return w.values(k, n, path)
	default:
		return w.value(k, n, path)
	}
}

func (w *walker) sections(k *key, n *yaml.Node, path string) any {
	var list []any
	for i, item := range w.items(n, path) {
		at := index(path, i)
		if w.isShared(item, at) {
			list = append(list, map[string]any{}) // It keeps its place, so that the next one has the right number.
			continue
		}
		list = append(list, w.section(k, item, at))
	}
	return list
}

// isShared reports whether n has or is a YAML anchor, and notes that as a fault. A few of them can stand for
// gigabytes.
func (w *walker) isShared(n *yaml.Node, path string) bool {
	if n.Kind != yaml.AliasNode && n.Anchor == "" {
		return false
	}
	w.fault(n, path, "YAML anchors and aliases are not read; write the value out", "")
	return true
}

func (w *walker) values(k *key, n *yaml.Node, path string) any {
	list := reflect.Zero(reflect.SliceOf(k.typ))
	for i, item := range w.items(n, path) {
		v := reflect.Zero(k.typ) // What is wrong keeps its place, so that the next one has the right number.
		if got := w.value(k, item, index(path, i)); got != nil {
			v = reflect.ValueOf(got).Convert(k.typ)
		}
		list = reflect.Append(list, v)
	}
	return list.Interface()
}

// items are the items of a list; a list whose items are all commented out has none.
func (w *walker) items(n *yaml.Node, path string) []*yaml.Node {
	w.origin.set(path, n)
	if isNull(n) {
		return nil
	}
	if n.Kind != yaml.SequenceNode {
		w.fault(n, path, "must be a list, not "+describe(n), "")
		return nil
	}
	return n.Content
}

// value reads one scalar.
func (w *walker) value(k *key, n *yaml.Node, path string) any {
	w.origin.set(path, n)
	if problem := k.misfit(n); problem != "" {
		w.fault(n, path, problem, "")
		return nil
	}
	v, err := k.parse(n.Value)
	if err != nil {
		w.fault(n, path, err.Error(), k.nearestValue(n.Value))
		return nil
	}
	if k.isPath {
		return resolve(w.base, v.(string))
	}
	return v
}

// misfit says why n is not a scalar of k's kind, or "". What counts is how it is written: 550 will do for text, since
// nothing is lost, but "25" in quotes is not a number, and null is nothing at all.
func (k *key) misfit(n *yaml.Node) string {
	tag := n.ShortTag()
	switch {
	case n.Kind != yaml.ScalarNode:
		return fmt.Sprintf("must be %s, not %s", k.scalar.want, describe(n))
	case isNull(n) && k.scalar.name == "text" && k.enum == nil:
		return "has no value; for none, write \"\" or leave the key out"
	case isNull(n):
		return "has no value; leave the key out for its default"
	case !slices.Contains(scalarTags, tag):
		return fmt.Sprintf("has the YAML tag %s, which is not read", quote(tag))
	case k.scalar.tag == "" && tag == "!!bool":
		return fmt.Sprintf("must be %s, not %s; if it is meant, write it in quotes", k.scalar.want, describe(n))
	case k.scalar.tag == "!!float" && tag == "!!int":
		return ""
	case k.scalar.tag != "" && tag != k.scalar.tag:
		return fmt.Sprintf("must be %s, not %s", k.scalar.want, describe(n))
	}
	return ""
}

// scalarTags are the tags that the parser itself gives to scalars with a value.
var scalarTags = []string{"!!str", "!!int", "!!float", "!!bool", "!!timestamp"}

func isNull(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode && n.ShortTag() == "!!null" }

// describe says what a node is, for a message.
func describe(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "keys"
	case yaml.SequenceNode:
		return "a list"
	case yaml.AliasNode:
		return "an alias"
	}
	switch n.ShortTag() {
	case "!!str":
		return "the text " + quote(n.Value)
	case "!!null":
		return "nothing"
	}
	return clip(n.Value)
}

// join is the path of a key below path.
func join(path, name string) string {
	if path == "" {
		return name
	}
	return path + "." + name
}

// index is the path of an item of the list at path.
func index(path string, i int) string { return path + "[" + strconv.Itoa(i) + "]" }

// resolve makes a path absolute. The empty path stays empty.
func resolve(base, path string) string {
	if path == "" || strings.HasPrefix(path, "/") {
		return path
	}
	return filepath.Join(base, path)
}
