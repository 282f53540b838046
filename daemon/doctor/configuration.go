package doctor

import "context"

// configuration lists what is wrong with the configuration.
func (x *exam) configuration(context.Context) []Finding {
	var out []Finding
	for _, f := range x.Faults {
		out = append(out, Finding{
			Subject: f.Key, Check: "valid", State: Fail, Found: f.Error(), Advice: "Correct it; verimaild config check looks at the file alone.",
		})
	}
	if x.Config == nil {
		return append(out, Finding{Check: "read", State: Unknown, Found: "nothing that depends on the configuration was looked at"})
	}
	from := x.Config.File()
	if from == "" {
		from = "no file: the defaults and the environment"
	}
	if len(out) == 0 {
		out = append(out, Finding{Check: "valid", State: OK, Found: "valid (" + from + ")"})
	}
	if x.Config.Egress.Sender == "" && !x.faulty("egress.sender") {
		out = append(out, Finding{
			Subject: "egress.sender", Check: "set", State: Fail, Found: "no sender is set, so no mail server is asked",
			Advice: "Set egress.sender to a real mailbox whose domain has an SPF record with the sources.",
		})
	}
	return out
}

// faulty reports whether there is a fault at key.
func (x *exam) faulty(key string) bool {
	for _, f := range x.Faults {
		if f.Key == key {
			return true
		}
	}
	return false
}
