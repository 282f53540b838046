package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"
)

// systemFile is where the file is looked for first when none is named.
const systemFile = "/etc/verimaild/verimaild.yaml"

// A host is what loading depends on beside the file.
type host struct {
	environ []string
	root    bool
	system  string // The system's configuration file.
}

// loadWith does what LoadWith says, for any host.
func loadWith(path string, h host, more func(*Config) error) (*Config, error) {
	o := &origin{file: h.find(path), places: map[string]place{}}
	file, faults := fromFile(tree(), o)
	return build(h, o, file, faults, more)
}

// build makes a Config of the file's values, to which o and faults belong, and of what the host adds.
func build(h host, o *origin, file map[string]any, faults Faults, more func(*Config) error) (*Config, error) {
	env, envFaults := environment(tree(), h.environ, directory(""), o)
	faults = append(faults, envFaults...)
	c := new(Config)
	if err := merge(tree(), h, file, env, c); err != nil {
		faults = append(faults, Fault{File: o.file, Problem: err.Error(), Err: err})
	}
	c.origin = *o
	faults = append(faults, check(c, faults)...)
	if more != nil {
		faults = append(faults, faults.others(more(c))...)
	}
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return c, nil
}

// defaults does what Default says.
func defaults(h host) *Config {
	c := new(Config)
	if err := merge(tree(), h, nil, nil, c); err != nil {
		panic("config: the defaults do not fit the tree: " + err.Error())
	}
	return c
}

// fromFile reads the values of the file that o names, if it names one.
func fromFile(root *key, o *origin) (map[string]any, Faults) {
	if o.file == "" {
		return nil, nil
	}
	text, faults := readFile(o.file)
	if faults != nil {
		return nil, faults
	}
	return fromText(root, text, o)
}

// fromText reads the values of text, which is that of the file that o names.
func fromText(root *key, text string, o *origin) (map[string]any, Faults) {
	n, faults := parse(text)
	if faults != nil {
		for i := range faults {
			faults[i].File = o.file
		}
		return nil, faults
	}
	if n == nil {
		return nil, nil
	}
	w := &walker{root: root, file: o.file, base: directory(o.file), origin: o}
	return w.section(root, n, ""), w.faults
}

// merge lays the defaults, the values of the file and those of the environment over each other and puts the result
// into out. All values have the types of their fields already, so an error means that the schema and the struct differ.
func merge(root *key, h host, file, env map[string]any, out any) error {
	v := viper.New()
	root.all(func(k *key) {
		if k.leaf() && !(k.pointer && !k.hasDef) {
			v.SetDefault(k.path, k.defaultValue())
		}
	})
	for path, d := range h.paths() {
		v.SetDefault(path, d)
	}
	if err := v.MergeConfigMap(file); err != nil {
		return err
	}
	for path, val := range env {
		v.Set(path, val)
	}
	return v.UnmarshalExact(out, func(dc *mapstructure.DecoderConfig) {
		dc.WeaklyTypedInput = false
		dc.DecodeHook = nil
	})
}

// find is the file to read: the one that is named, or the first that exists where it is looked for, or "".
func (h host) find(path string) string {
	if path != "" {
		return path
	}
	if path = lookup(h.environ, fileVariable); path != "" {
		return path
	}
	for _, p := range []string{h.system, h.xdg("XDG_CONFIG_HOME", ".config", "verimaild.yaml")} {
		// A file that is there and cannot be read is a fault, and not a reason to look elsewhere.
		if _, err := os.Stat(p); p != "" && !errors.Is(err, fs.ErrNotExist) {
			return p
		}
	}
	return ""
}

// paths are the defaults that depend on who runs the daemon.
func (h host) paths() map[string]any {
	state, run := h.unit("STATE_DIRECTORY"), h.unit("RUNTIME_DIRECTORY")
	paths := map[string]any{}
	if !h.root {
		home := h.xdg("XDG_STATE_HOME", ".local/state", "")
		socket := h.xdg("XDG_RUNTIME_DIR", "", "verimaild.sock")
		if socket == "" && home != "" {
			socket = filepath.Join(home, "verimaild.sock")
		}
		paths["state_dir"], paths["socket.path"] = home, socket
	}
	if state != "" {
		paths["state_dir"] = state
	}
	if run != "" {
		paths["socket.path"] = filepath.Join(run, "verimaild.sock")
	}
	return paths
}

// unit is the directory that a systemd unit has made for the daemon, or "": the first of the list in the variable.
func (h host) unit(name string) string {
	dir, _, _ := strings.Cut(lookup(h.environ, name), ":")
	if !filepath.IsAbs(dir) {
		return ""
	}
	return dir
}

// xdg is a path in our directory below the one that an XDG variable names, or below its default in the home
// directory, or "" if neither is known. The XDG Base Directory Specification has relative paths ignored.
func (h host) xdg(name, inHome, file string) string {
	dir := lookup(h.environ, name)
	if home := lookup(h.environ, "HOME"); !filepath.IsAbs(dir) && inHome != "" && filepath.IsAbs(home) {
		dir = filepath.Join(home, inHome)
	}
	if !filepath.IsAbs(dir) {
		return ""
	}
	return filepath.Join(dir, "verimaild", file)
}

// directory is the absolute directory of a file, or the working directory if file is "".
func directory(file string) string {
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil { // The working directory is gone; then relative paths stay relative.
		return filepath.Dir(file)
	}
	return dir
}
