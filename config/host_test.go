package config

// load is LoadWith on a host that need not be this one.
func load(path string, h host) (*Config, error) { return loadWith(path, h, nil) }
