package config

import (
	"strings"

	"go.yaml.in/yaml/v3"
)

// An origin remembers where the values of a Config came from.
type origin struct {
	file   string
	places map[string]place // By the path of the key, sections and items of lists too.
}

// A place is where a value stands.
type place struct {
	line, column int
	variable     string // Not empty: in the environment, and not in the file.
	leaf         bool   // A value, not a section.
}

// note remembers where a section stands.
func (o *origin) note(path string, n *yaml.Node) {
	o.places[path] = place{line: n.Line, column: n.Column}
}

// set remembers where a value stands in the file.
func (o *origin) set(path string, n *yaml.Node) {
	o.places[path] = place{line: n.Line, column: n.Column, leaf: true}
}

// setVariable remembers that the environment holds a value. What the file said below path is no longer there.
func (o *origin) setVariable(path, variable string) {
	for p := range o.places {
		if below(p, path) {
			delete(o.places, p)
		}
	}
	o.places[path] = place{variable: variable, leaf: true}
}

// isSet reports whether a value stands at or below path.
func (o *origin) isSet(path string) bool {
	for p, at := range o.places {
		if at.leaf && (p == path || below(p, path)) {
			return true
		}
	}
	return false
}

// fault is a fault of the value at path. If nothing stands there, its place is that of the section it should be in.
func (o *origin) fault(path, problem string) Fault {
	f := Fault{Key: path, Problem: problem}
	for p := path; ; p = parent(p) {
		at, ok := o.places[p]
		switch {
		case ok && at.variable != "":
			f.Variable = at.variable
		case ok:
			f.File, f.Line, f.Column = o.file, at.line, at.column
		case p != "":
			continue
		}
		return f
	}
}

// below reports whether path p leads to something inside what path leads to.
func below(p, path string) bool {
	rest, ok := strings.CutPrefix(p, path)
	return ok && rest != "" && (path == "" || rest[0] == '.' || rest[0] == '[')
}

// parent is the path of the section or list that holds what path leads to.
func parent(path string) string { return path[:max(0, strings.LastIndexAny(path, ".["))] }
