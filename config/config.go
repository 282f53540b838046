// Package config holds verimaild's configuration: one tree of structs, from which the annotated verimaild.yaml and
// docs/configuration.md are written, and the one way to fill it: the defaults, then the file, then the environment.
//
// Loading is strict, and it reports every fault at once, each with its place. What takes other packages to judge (the
// ids of providers, the words of reply rules, the syntax of the sender) is left to the daemon, which reports in the
// same form by [Config.Fault].
package config

import "os"

// Load reads the configuration from the file at path and from the environment, whose entries have the form of
// [os.Environ], over the defaults for the user who runs the process.
//
// An empty path means the one in VERIMAILD_CONFIG; if that is empty too, the first that exists of
// /etc/verimaild/verimaild.yaml and verimaild/verimaild.yaml in the XDG configuration directory; and if none exists,
// no file. A file that is named must exist. The error is always a [Faults].
func Load(path string, environ []string) (*Config, error) { return LoadWith(path, environ, nil) }

// LoadWith is Load with more checks, those of the packages that use the configuration, so that all faults are reported
// at once. more returns its faults as a [Faults], made by [Config.Fault]. It sees the defaults where a value has a fault
// already, and what it says of such a key is left out.
func LoadWith(path string, environ []string, more func(*Config) error) (*Config, error) {
	return loadWith(path, host{environ: environ, root: os.Geteuid() == 0, system: systemFile}, more)
}

// Default is the configuration without a file and without VERIMAILD_ variables, for root or another user. Of environ,
// whose entries have the form of [os.Environ], it reads HOME and the XDG variables.
func Default(root bool, environ []string) *Config {
	return defaults(host{environ: environ, root: root})
}

// File is the path of the file that was read, or "" if none was.
func (c *Config) File() string { return c.origin.file }

// IsSet reports whether key, such as "socket.group" or "egress.sources[0].ehlo", was set by the file or by the
// environment. A section is set when a key in it is.
func (c *Config) IsSet(key string) bool { return c.origin.isSet(key) }

// Fault is a fault of the value at key, with the place where it was set. It is for what only other packages can
// check.
func (c *Config) Fault(key, problem string) Fault { return c.origin.fault(key, problem) }
