package config

import (
	"io/fs"
	"time"
)

// This file and its neighbours (egress.go, limits.go, memory.go, …) are the one place where keys, their defaults and
// their words are written. A key is one field:
//
//	mapstructure  its name
//	default       its default, as one would write it in the file; lists of scalars with commas
//	range         the smallest and the largest value, "1..65535"
//	zero          what 0 means, for a key whose range does not hold 0
//	enum          the values that it may have
//	kind          "path" for a file or directory
//	host          when and how the default depends on the host; such a key is commented out in verimaild.yaml
//	example       a value to show where the default says little
//	reload        "live" or "restart": what a change needs; a section's tag holds for what is in it
//
// The comment above a field is what verimaild.yaml and docs/configuration.md say about it, so it speaks to the
// operator. A pointer is a limit: nil, when the key is absent, inherits, and a pointer to zero lifts it.

// Config is the whole configuration. It is made by Load or Default and not changed afterwards, so that it may be
// read from several goroutines.
type Config struct {
	// Where applications ask.
	Socket Socket `mapstructure:"socket" reload:"restart"`

	// The directory of the two databases and of the key that hashes addresses. It is created with mode 0700, and only
	// one daemon at a time can use it.
	StateDir string `mapstructure:"state_dir" kind:"path" default:"/var/lib/verimaild" host:"In a systemd unit: its StateDirectory. Otherwise, not as root: $XDG_STATE_HOME/verimaild, which is ~/.local/state/verimaild if that is not set." reload:"restart"`

	// Where DNS is asked.
	Resolver Resolver `mapstructure:"resolver" reload:"live"`

	// How mail servers are asked.
	Egress Egress `mapstructure:"egress" reload:"live"`

	// What egress.preflight looks at beside the sources and the sender.
	Preflight Inspection `mapstructure:"preflight" reload:"live"`

	// Whom the daemon never asks about: addresses (ada@example.org), domains (example.org) and patterns of MX hosts
	// (*.mx.example.net). Such an address is answered unknown/probe_suppressed.
	NeverProbe []string `mapstructure:"never_probe" example:"[ada@example.org, example.net, \"*.mx.example.com\"]" reload:"live"`

	// Which flags turn an address that is otherwise deliverable into a risky one. The flags themselves are always in
	// the answer.
	Policy Policy `mapstructure:"policy" reload:"live"`

	// What is added to the built-in lists of names, and what is taken away from them.
	Lists Lists `mapstructure:"lists" reload:"live"`

	// The operator's own rules for reading replies, asked before the built-in ones; the first that matches decides. A
	// rule matches when all its conditions (stage to not) hold, and it needs at least one. `verimaild explain` shows
	// which rule reads a reply.
	Replies []ReplyRule `mapstructure:"replies" reload:"live"`

	// What is remembered, and for how long. Past its soft age an answer is still served and refreshed behind it; past
	// its hard age it is forgotten.
	Cache Cache `mapstructure:"cache" reload:"live"`

	// The applications that share this daemon, known by the user or the group of the process that connects. Who is none
	// of them is the application default.
	Apps []App `mapstructure:"apps" reload:"live"`

	// Refuse callers that none of apps names. root and the daemon's own user are never shut out.
	AppsOnly bool `mapstructure:"apps_only" default:"false" reload:"live"`

	// What counts against the quotas of apps, beside the addresses that somebody was asked about.
	Charge Charge `mapstructure:"charge" reload:"live"`

	// Where a mail server asks about recipients, by Postfix's socketmap protocol: only what is definitely undeliverable is
	// found, and rejected.
	Socketmap Socketmap `mapstructure:"socketmap" reload:"restart"`

	// Where numbers are shown.
	Metrics Metrics `mapstructure:"metrics" reload:"restart"`

	// How lists are worked off.
	Bulk Bulk `mapstructure:"bulk" reload:"live"`

	// What `serve --sandbox` keeps on. Without --sandbox this section is not read.
	Sandbox Sandbox `mapstructure:"sandbox" reload:"restart"`

	// How long a stop waits for the probes that are under way before it cancels them.
	DrainTimeout time.Duration `mapstructure:"drain_timeout" default:"10s" range:"1s..10m" zero:"stop at once" reload:"live"`

	// What is logged, and how.
	Log Log `mapstructure:"log" reload:"live"`

	origin origin
}

// Socket is the Unix socket of the HTTP API.
type Socket struct {
	// The socket's path, at most 107 bytes. Its directory is created if it is missing.
	Path string `mapstructure:"path" kind:"path" default:"/run/verimaild/verimaild.sock" host:"In a systemd unit: verimaild.sock in its RuntimeDirectory. Otherwise, not as root: $XDG_RUNTIME_DIR/verimaild/verimaild.sock, or verimaild.sock in the state directory if that is not set."`

	// The socket's permissions, in octal. Whoever may write to the socket may ask.
	Mode fs.FileMode `mapstructure:"mode" default:"0660"`

	// The group that owns the socket. The default is used if there is such a group; a group that is set must exist.
	Group string `mapstructure:"group" default:"verimaild" host:"Where there is no such group, the socket keeps the daemon's own."`
}

// Resolver says where DNS is asked.
type Resolver struct {
	// The servers to ask, as host:port or host (port 53). An empty list means those of /etc/resolv.conf. When one
	// fails, the next is asked.
	Servers []string `mapstructure:"servers" example:"[\"127.0.0.1:53\", \"[::1]:53\"]"`

	// How long one server has for one question.
	Timeout time.Duration `mapstructure:"timeout" default:"3s" range:"100ms..1m"`
}

// Policy says which flags make a deliverable address risky.
type Policy struct {
	// An address of a role (info@, sales@) is risky/role_address.
	Role bool `mapstructure:"role" default:"true"`

	// An address of a throw-away service is risky/disposable.
	Disposable bool `mapstructure:"disposable" default:"true"`

	// An address of a forwarding service that hides its owner's is risky/privacy_relay.
	PrivacyRelay bool `mapstructure:"privacy_relay" default:"true"`

	// How many different names that do not exist an application may ask one domain for within an hour, if two of three
	// that it asks for there do not. Who comes to that is guessing names, and is stopped at that domain for an hour
	// (unknown/probe_suppressed); other applications are not, nor are answers from memory.
	DeadNames int `mapstructure:"dead_names" default:"300" range:"1..1000000" zero:"no limit"`
}

// Lists are the operator's files over the built-in lists of names.
type Lists struct {
	// Domains that hand out throw-away addresses.
	Disposable Overlay `mapstructure:"disposable"`

	// Domains that forward to an address which their user keeps private.
	PrivacyRelay Overlay `mapstructure:"privacy_relay"`

	// Local-parts that name a role and not a person.
	Role Overlay `mapstructure:"role"`

	// Domains of public mail providers.
	FreeProvider Overlay `mapstructure:"free_provider"`
}

// An Overlay changes one built-in list. The zero Overlay leaves it as it is.
type Overlay struct {
	// Files of names to add, one name a line; # starts a comment.
	Add []string `mapstructure:"add" kind:"path"`

	// Files of names to take away. A name in both is taken away.
	Remove []string `mapstructure:"remove" kind:"path"`
}

// A ReplyRule reads the replies that it matches. Its strings are in the words of `verimaild explain`; whether these
// words exist is checked by the daemon, which knows them.
type ReplyRule struct {
	// The rule's name, as it stands in the evidence: lower-case letters, digits, hyphens. Required, and unique.
	Name string `mapstructure:"name" example:"example-quota"`

	// The stages of the dialogue in which it is asked, separated by spaces: connect, ehlo, starttls, mail, rcpt. Empty
	// means all that its class can be said in.
	Stage string `mapstructure:"stage" example:"rcpt"`

	// The reply codes, separated by spaces; y and z stand for any digit: 550 554, 45z, 5yz. Empty means 4yz and 5yz.
	Code string `mapstructure:"code" example:"452 552"`

	// The enhanced codes, separated by spaces; x, y and z stand for any number: 5.1.1, x.7.z; none for a reply without
	// one. Empty means any.
	Enhanced string `mapstructure:"enhanced" example:"x.2.2"`

	// The ids of providers, separated by spaces. Empty means any.
	Provider string `mapstructure:"provider" example:"google"`

	// Phrases that must all occur in the text. Letter case does not matter.
	Words []string `mapstructure:"words" example:"[storage]"`

	// Phrases of which at least one must occur.
	Any []string `mapstructure:"any" example:"[exceeded, \"over limit\"]"`

	// Phrases of which none may occur.
	Not []string `mapstructure:"not" example:"[temporarily]"`

	// What the reply means: no_such_mailbox, mailbox_full, source_blocked, … Required.
	Class string `mapstructure:"class" example:"mailbox_full"`

	// Whom it is about: mailbox, domain, sender, session, route, source_site, source or site. Empty means what is
	// usual for the class.
	Scope string `mapstructure:"scope" example:"mailbox"`

	// A finer reason within the class, such as no_ptr or harvest. Empty means none.
	Detail string `mapstructure:"detail"`

	// When asking again can help, if the reply does not say.
	Retry time.Duration `mapstructure:"retry" range:"1s..24h" zero:"what is usual for the class" example:"6h"`
}

// Sandbox says what stays on under `serve --sandbox`.
type Sandbox struct {
	// Remember answers, as outside the sandbox. Off, the same question gets a fresh answer each time.
	Memory bool `mapstructure:"memory" default:"false"`

	// Keep to the egress limits, as outside the sandbox.
	Budgets bool `mapstructure:"budgets" default:"false"`
}

// Log says what is logged, and how. The log goes to standard error.
type Log struct {
	// The least level that is logged.
	Level string `mapstructure:"level" default:"info" enum:"debug,info,warn,error"`

	// One JSON object a line, or text for a terminal.
	Format string `mapstructure:"format" default:"json" enum:"json,console" reload:"restart"`

	// Write the whole address into the line that is logged at level debug for each answer. With false, only its domain
	// and a keyed hash of it are written.
	Addresses bool `mapstructure:"addresses" default:"false"`
}
