package config

import (
	"slices"
	"strings"
)

// prefix starts the name of each variable that is ours.
const prefix = "VERIMAILD_"

// The variables that stand for no key.
const (
	fileVariable   = "VERIMAILD_CONFIG" // The file that Load reads when it is given none.
	socketVariable = "VERIMAILD_SOCKET" // For the client commands: the daemon's socket.
)

// variable is the name of the environment variable that sets the key at path: VERIMAILD_EGRESS_SENDER.
func variable(path string) string {
	return prefix + strings.ToUpper(strings.ReplaceAll(path, ".", "_"))
}

// environment reads the variables that are ours. The result is by the path of the key. An empty variable is set, and
// to the empty value.
func environment(root *key, environ []string, base string, o *origin) (map[string]any, Faults) {
	byName := map[string]*key{}
	root.all(func(k *key) {
		if k.name != "" && !k.list || k.shape == sections {
			byName[variable(k.plainPath())] = k
		}
	})
	found := map[string]any{}
	var faults Faults
	for _, entry := range ours(environ) {
		name, text, _ := strings.Cut(entry, "=")
		k := byName[name]
		f := Fault{Variable: printable(name)}
		switch {
		case name == fileVariable || name == socketVariable:
			continue
		case k == nil:
			f.Problem, f.Hint = "unknown variable", nearestVariable(name, byName)
		case !k.leaf():
			f.Key, f.Problem = k.plainPath(), "cannot be set by a variable, only in the file"
		default:
			o.setVariable(k.path, name)
			v, err := k.parseText(text)
			if err == nil {
				found[k.path] = k.resolve(v, base)
				continue
			}
			f.Key, f.Problem, f.Hint = k.path, err.Error(), k.nearestValue(text)
		}
		faults = append(faults, f)
	}
	return found, faults
}

// ours are the entries of environ that begin with our prefix, in order; of those with one name, the last, as the
// shells have it.
func ours(environ []string) []string {
	last := map[string]string{}
	for _, entry := range environ {
		if name, _, ok := strings.Cut(entry, "="); ok && strings.HasPrefix(name, prefix) {
			last[name] = entry
		}
	}
	entries := make([]string, 0, len(last))
	for _, entry := range last {
		entries = append(entries, entry)
	}
	slices.Sort(entries)
	return entries
}

// nearestVariable is the hint for a variable that stands for no key: one that ends in the same words, or the nearest.
func nearestVariable(name string, byName map[string]*key) string {
	word := strings.TrimPrefix(name, prefix)
	var words []string // Without the prefix, so that it does not count as likeness.
	for n, k := range byName {
		if k.leaf() {
			words = append(words, strings.TrimPrefix(n, prefix))
		}
	}
	slices.Sort(words)
	near := nearest(word, words)
	for _, w := range words {
		if strings.HasSuffix(w, "_"+word) {
			near = w
			break
		}
	}
	if near == "" {
		return ""
	}
	return "did you mean " + prefix + near + "?"
}

// resolve makes v absolute if it is a path or a list of paths.
func (k *key) resolve(v any, base string) any {
	if !k.isPath {
		return v
	}
	if list, ok := v.([]string); ok {
		for i, p := range list {
			list[i] = resolve(base, p)
		}
		return list
	}
	return resolve(base, v.(string))
}

// lookup is the value of a variable in environ, the last if it is there more than once, and "" if it is not there.
func lookup(environ []string, name string) string {
	for _, entry := range slices.Backward(environ) {
		if n, v, ok := strings.Cut(entry, "="); ok && n == name {
			return v
		}
	}
	return ""
}
