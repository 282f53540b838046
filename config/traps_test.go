package config

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-viper/mapstructure/v2"
	"github.com/spf13/viper"
)

// The traps of viper that loading has to avoid. Each test shows the trap first, so that one who upgrades viper sees
// whether it is still there. The first, the environment, is held by TestEnvironmentSetsEveryKey.

func TestTrapEnvironmentWithoutDefault(t *testing.T) {
	t.Setenv("TRAP_A_B", "set")
	v := viper.New()
	v.SetEnvPrefix("TRAP")
	v.SetEnvKeyReplacer(strings.NewReplacer(".", "_"))
	v.AutomaticEnv()
	var out struct{ A struct{ B string } }
	if err := v.Unmarshal(&out); err != nil || out.A.B != "" {
		t.Errorf("viper reads the environment without a default now: %+v, %v", out, err)
	}
	tree().all(func(k *key) {
		if k.leaf() && !(k.pointer && !k.hasDef) && k.defaultValue() == nil {
			t.Errorf("%s has no default for viper", k.path)
		}
	})
}

func TestTrapMisspeltKeys(t *testing.T) {
	v := viper.New()
	v.Set("portt", 26)
	var out struct{ Port int }
	if err := v.Unmarshal(&out); err != nil {
		t.Errorf("viper refuses misspelt keys now: %v", err)
	}
	err := merge(tree(), root, map[string]any{"egress": map[string]any{"portt": 26}}, nil, new(Config))
	if err == nil {
		t.Error("merge of egress.portt = nil, want an error")
	}
	_, err = load(write(t, "egress: {portt: 26}"), root)
	if err == nil || !strings.Contains(err.Error(), `egress.portt: unknown key (did you mean "port"?)`) {
		t.Errorf("load of egress.portt = %v", err)
	}
}

func TestTrapDurations(t *testing.T) {
	v := viper.New()
	v.Set("idle", 60)
	var out struct{ Idle time.Duration }
	if err := v.Unmarshal(&out); err != nil || out.Idle != 60 {
		t.Errorf("viper does not read 60 as 60ns any more: %v, %v", out.Idle, err)
	}
	for _, row := range []struct{ text, want string }{
		{"60", `"60" has no unit: write 60s, 60m or 60h`},
		{`"60"`, `"60" has no unit: write 60s, 60m or 60h`},
		{"1.5", `"1.5" has no unit: write 1.5s, 1.5m or 1.5h`},
		{"1e3", `"1e3" has no unit: write 1e3s, 1e3m or 1e3h`},
		{"60 s", `"60 s" is not a duration`},
		{"-5s", `-5s is out of range: 1s to 1h, or 0: no limit`},
		{"9999999999h", `"9999999999h" is not a duration`},
		{"[60s]", `must be a duration such as 90s, 15m or 24h, not a list`},
	} {
		t.Run(row.text, func(t *testing.T) {
			_, err := load(write(t, "egress: {limits: {idle: "+row.text+"}}"), root)
			if err == nil || !strings.Contains(err.Error(), "egress.limits.idle: "+row.want) {
				t.Errorf("load = %v, want %q", err, row.want)
			}
		})
	}
}

func TestTrapLowerCaseAndDots(t *testing.T) {
	v := viper.New()
	v.Set("sites", map[string]any{"MX.Example.Net": 1})
	if got := v.AllKeys(); !slices.Equal(got, []string{"sites.mx.example.net"}) {
		t.Errorf("viper keeps case and dots of keys now: %q", got)
	}
	// No key of ours is a name that an operator chooses, and none has a capital or a dot.
	tree().all(func(k *key) {
		if strings.Trim(k.name, "abcdefghijklmnopqrstuvwxyz0123456789_") != "" || k.name == "" && k.path != "" {
			t.Errorf("%s: %q is not of small letters, digits and underscores", k.path, k.name)
		}
	})
	// What an operator chooses is a value, and keeps its case.
	c := mustLoad(t, "never_probe: [MX.Example.Net]\nreplies: [{name: a, class: other, words: [Over.Quota]}]\n")
	if got := c.NeverProbe[0] + " " + c.Replies[0].Words[0]; got != "MX.Example.Net Over.Quota" {
		t.Errorf("values = %q, want their case kept", got)
	}
	_, err := load(write(t, "Egress: {port: 25}"), root)
	if err == nil || !strings.Contains(err.Error(), `Egress: unknown key (did you mean "egress"?)`) {
		t.Errorf("load of Egress = %v", err)
	}
}

// TestTrapWeakTypes holds that viper's habit of turning one type into another is off.
func TestTrapWeakTypes(t *testing.T) {
	var out struct{ Port int }
	if err := mapstructure.WeakDecode(map[string]any{"port": "25"}, &out); err != nil || out.Port != 25 {
		t.Errorf("mapstructure is strict now: %v, %v", out, err)
	}
	if err := merge(tree(), root, map[string]any{"egress": map[string]any{"port": "25"}}, nil, new(Config)); err == nil {
		t.Error("merge of a text for a number = nil, want an error")
	}
}
