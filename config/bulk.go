package config

import "time"

// Bulk says how lists are worked off.
type Bulk struct {
	// How many addresses of lists are asked about at once, over all jobs. Applications share it by their weight. More
	// takes memory, about 30 kB each; what mail servers bear is decided elsewhere.
	Window int `mapstructure:"window" default:"1024" range:"16..16384"`

	// How long an address waits out greylisting, and failures that pass as a rule, from the first of them on, unless its job
	// says otherwise. It is then unknown, with the reason that it has.
	Patience time.Duration `mapstructure:"patience" default:"12h" range:"1s..168h" zero:"not at all"`

	// How long a job is kept after its end, with its list and its outcomes.
	Retention time.Duration `mapstructure:"retention" default:"720h" range:"1m..87600h" zero:"until it is deleted"`
}
