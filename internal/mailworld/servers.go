package mailworld

import "time"

// Postfix returns a host with the limits that Postfix 3.7 has by default: late replies from the 10th error of a session
// on, 421 after the 20th, RSET counted as an error beyond the 100th, five minutes of idleness.
func Postfix(name string) Host {
	return Host{
		Name: name,
		Limits: Limits{
			SoftErrors: 10, HardErrors: Limit{N: 20}, Junk: 100,
			Recipients: Limit{N: 1000}, Sessions: Limit{N: 50}, Idle: 5 * time.Minute,
		},
	}
}

// Exim returns a host with the limits that Exim 4.96 has by default: the 12th RSET is the last command.
func Exim(name string) Host {
	return Host{
		Name: name, Style: StyleExim,
		Limits: Limits{NonMail: Limit{N: 11}, Transactions: Limit{N: 1000}, Idle: 5 * time.Minute},
	}
}

// CPanel returns an [Exim] that drops a session after its fourth refused recipient.
func CPanel(name string) Host {
	h := Exim(name)
	h.Limits.FailedRecipients = Limit{N: 4}
	return h
}

// OpenSMTPD returns a host as OpenSMTPD 6.8 is by default: no PIPELINING, one EHLO a session, idle sessions closed
// without a word.
func OpenSMTPD(name string) Host {
	return Host{
		Name: name, Style: StyleOpenSMTPD, Pipelining: PipeliningCloses, EHLO: EHLO{Once: true},
		Limits: Limits{
			HardErrors: Limit{N: 25}, Recipients: Limit{N: 1000}, Transactions: Limit{N: 100},
			Idle: 5 * time.Minute, Silent: true,
		},
	}
}

// Sendmail returns a host as Sendmail 8.17 is by default: hardly any limit.
func Sendmail(name string) Host {
	return Host{Name: name, Style: StyleSendmail, Limits: Limits{Recipients: Limit{N: 100}, Idle: time.Hour}}
}

// Exchange returns a host with the defaults of an Exchange receive connector with recipient filtering: five seconds
// before each refusal, 20 sessions a client, ten minutes a session, busy or not.
func Exchange(name string) Host {
	return Host{
		Name: name, Style: StyleExchange, Unknown: exchangeTexts().unknown.After(5 * time.Second),
		Limits: Limits{
			Recipients: Limit{N: 200}, Sessions: Limit{N: 20}, Idle: 5 * time.Minute, Total: 10 * time.Minute,
		},
	}
}

// Cisco returns a host with the directory harvest prevention of a Cisco mail gateway: 25 unknown recipients an hour
// from a /24, then as told.
func Cisco(name string, then HarvestThen) Host {
	return Host{
		Name: name, Unknown: Say(550, "#5.1.0 Address rejected."),
		Harvest: Harvest{Limit: 25, Window: time.Hour, Bits: 24, Then: then},
	}
}
