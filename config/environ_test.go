package config

import (
	"errors"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// otherValues are values that no key of the type has by default, and otherwise those for single keys.
var otherValues = map[string]string{
	"mode": "0600", "duration": "90s", "number": "1234", "network": "10.0.0.0/8", "text": "other",
	"egress.sender": "ada@example.org", "egress.tls": "never", "log.level": "debug", "log.format": "console",
	"egress.limits.sessions": "7", "egress.limits.recipients_per_transaction": "7",
	"egress.preflight": "off", "preflight.interval": "20m", "preflight.dnsbl": "other.example", "preflight.network_targets": "other.example:1",
	"preflight.port_targets": "one.example,two.example,three.example", "egress.limits.refusal_ratio": "0.5",
	"metrics.listen": "[::1]:9469", "resolver.timeout": "5s", "cache.mail_hosts.max": "7h", "cache.mail_hosts.hard": "25h",
	"cache.mailbox_accepted.hard": "8000h", "cache.mailbox_not_found.hard": "8000h", "cache.mailbox_disabled.hard": "8000h",
	"cache.mailbox_full.hard": "8000h", "cache.accepts_all.hard": "8000h", "cache.refuses_made_up.hard": "8000h",
}

// otherValue is a right value for k that is not its default.
func otherValue(k *key) string {
	if k.scalar.name == "boolean" {
		return map[string]string{"true": "FALSE", "false": "True"}[k.def]
	}
	if text, ok := otherValues[k.path]; ok {
		return text
	}
	return otherValues[k.scalar.name]
}

// TestEnvironmentSetsEveryKey is about viper's first trap: it ignores the environment for keys that have no default.
func TestEnvironmentSetsEveryKey(t *testing.T) {
	tree().all(func(k *key) {
		if k.leaf() {
			t.Run(k.path, func(t *testing.T) { testEnvironmentSets(t, k) })
		}
	})
}

func testEnvironmentSets(t *testing.T, k *key) {
	entry := variable(k.path) + "=" + otherValue(k)
	c, err := load("", host{root: true, environ: []string{entry}})
	if err != nil {
		t.Fatal(err)
	}
	live, restart := Diff(Default(true, nil), c)
	if got := slices.Concat(live, restart); !slices.Equal(got, []string{k.path}) {
		t.Errorf("with %s these keys differ from the defaults: %q", entry, got)
	}
	if !c.IsSet(k.path) {
		t.Errorf("IsSet(%q) = false", k.path)
	}
}

func TestEnvironmentWins(t *testing.T) {
	path := write(t, "egress: {sender: file@example.org, allow_networks: [192.168.0.0/16]}\nnever_probe: [a.example]\n")
	c, err := load(path, host{root: true, environ: []string{
		"VERIMAILD_EGRESS_SENDER=first@example.org",
		"VERIMAILD_EGRESS_SENDER=last@example.org",
		"VERIMAILD_EGRESS_ALLOW_NETWORKS=10.0.0.0/8, fd00::/8",
		"VERIMAILD_NEVER_PROBE=",
		"VERIMAILD_SOCKET=/run/other.sock",
		"UNRELATED=1",
		"verimaild_log_level=debug",
	}})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ name, got, want string }{
		{"the last of two", c.Egress.Sender, "last@example.org"},
		{"a list", c.Egress.AllowNetworks[0].String() + " " + c.Egress.AllowNetworks[1].String(), "10.0.0.0/8 fd00::/8"},
		{"an empty list", strings.Join(c.NeverProbe, " "), ""},
		{"a variable of the client", c.Socket.Path, "/run/verimaild/verimaild.sock"},
		{"small letters", c.Log.Level, "info"},
	} {
		t.Run(row.name, func(t *testing.T) {
			if row.got != row.want {
				t.Errorf("got %q, want %q", row.got, row.want)
			}
		})
	}
}

func TestEnvironmentFaults(t *testing.T) {
	for _, row := range []struct{ name, entry, want string }{
		{"a misspelt key", "VERIMAILD_EGRESS_SENDR=x", "VERIMAILD_EGRESS_SENDR: unknown variable (did you mean VERIMAILD_EGRESS_SENDER?)"},
		{"a key without its section", "VERIMAILD_SENDER=x", "VERIMAILD_SENDER: unknown variable (did you mean VERIMAILD_EGRESS_SENDER?)"},
		{"nothing near", "VERIMAILD_QWERTZUIOP=x", "VERIMAILD_QWERTZUIOP: unknown variable"},
		{"nothing at all", "VERIMAILD_=x", "VERIMAILD_: unknown variable"},
		{"a section", "VERIMAILD_EGRESS=x", "VERIMAILD_EGRESS: egress: cannot be set by a variable, only in the file"},
		{"a list of sections", "VERIMAILD_EGRESS_SOURCES=x", "VERIMAILD_EGRESS_SOURCES: egress.sources: cannot be set by a variable, only in the file"},
		{"a number", "VERIMAILD_EGRESS_PORT=smtp", `VERIMAILD_EGRESS_PORT: egress.port: "smtp" is not a whole number in decimal digits`},
		{"a number that is too large", "VERIMAILD_EGRESS_PORT=99999999999999999999", `VERIMAILD_EGRESS_PORT: egress.port: "99999999999999999999" is too large`},
		{"a boolean", "VERIMAILD_POLICY_ROLE=yes", `VERIMAILD_POLICY_ROLE: policy.role: "yes" is not true or false`},
		{"an empty number", "VERIMAILD_EGRESS_PORT=", `VERIMAILD_EGRESS_PORT: egress.port: "" is not a whole number in decimal digits`},
		{"a duration without unit", "VERIMAILD_EGRESS_LIMITS_IDLE=60", `VERIMAILD_EGRESS_LIMITS_IDLE: egress.limits.idle: "60" has no unit: write 60s, 60m or 60h`},
		{"an enum", "VERIMAILD_LOG_LEVEL=warning", `VERIMAILD_LOG_LEVEL: log.level: "warning" is not one of debug, info, warn, error (did you mean "warn"?)`},
		{"an item", "VERIMAILD_EGRESS_ALLOW_NETWORKS=10.0.0.0/8,x", `VERIMAILD_EGRESS_ALLOW_NETWORKS: egress.allow_networks: "x" is not a network such as 10.20.0.0/16 or fd00::/8`},
		{"found by the checks", "VERIMAILD_RESOLVER_SERVERS=192.0.2.1,x y", `VERIMAILD_RESOLVER_SERVERS: resolver.servers[1]: "x y" is not host:port or host, such as 127.0.0.1:53, [::1]:53 or 192.0.2.1`},
		{"a control character", "VERIMAILD_EGRESS_SENDER=a@example.org\r\nX", `VERIMAILD_EGRESS_SENDER: egress.sender: "a@example.org\r\nX" holds a control character`},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := load("", host{root: true, environ: []string{row.entry}})
			if err == nil || err.Error() != "environment "+row.want {
				t.Errorf("load with %s = %v, want %q", row.entry, err, "environment "+row.want)
			}
		})
	}
}

// TestLoadFromEnvironment goes through the exported function, whoever runs the test.
func TestLoadFromEnvironment(t *testing.T) {
	c, err := Load(write(t, "{}"), []string{"HOME=/home/ada", "VERIMAILD_LOG_LEVEL=warn"})
	if err != nil || c.Log.Level != "warn" {
		t.Errorf("Load = %+v, %v, want log level warn", c, err)
	}
}

// TestAllFaultsAtOnce has one in the file that cannot be parsed, and some in the environment.
func TestAllFaultsAtOnce(t *testing.T) {
	path := write(t, "log: [\n")
	_, err := load(path, host{root: true, environ: []string{"VERIMAILD_EGRESS_PORT=0", "VERIMAILD_X=1"}})
	faults, _ := errors.AsType[Faults](err)
	var got []string
	for _, f := range faults {
		got = append(got, f.File+f.Variable)
	}
	if want := []string{"VERIMAILD_EGRESS_PORT", "VERIMAILD_X", path}; !reflect.DeepEqual(got, want) {
		t.Errorf("the places of the faults are %q, want %q", got, want)
	}
	if f, ok := errors.AsType[Fault](err); !ok || f != faults[0] {
		t.Errorf("AsType[Fault] = %v, %v, want the first, %v", f, ok, faults[0])
	}
}
