package config

import "reflect"

// Diff lists the keys whose values differ between two configurations, in the order of the tree: those that a reload
// can apply live, and those that need a restart. A list of sections, such as egress.sources, is one key.
func Diff(before, after *Config) (live, restart []string) {
	diff(tree(), reflect.ValueOf(before).Elem(), reflect.ValueOf(after).Elem(), func(k *key, path string) {
		if k.reload == reloadLive {
			live = append(live, path)
		} else {
			restart = append(restart, path)
		}
	})
	return live, restart
}

// The values of the reload tag.
const (
	reloadLive    = "live"
	reloadRestart = "restart"
)

// diff calls differ for each key below k whose values differ.
func diff(k *key, before, after reflect.Value, differ func(k *key, path string)) {
	for _, c := range k.keys {
		a, b := before.Field(c.index), after.Field(c.index)
		switch {
		case c.shape == section:
			diff(c, a, b, differ)
		case a.Kind() == reflect.Slice && a.Len() == 0 && b.Len() == 0: // nil or empty is the same.
		case !reflect.DeepEqual(a.Interface(), b.Interface()):
			differ(c, c.plainPath())
		}
	}
}
