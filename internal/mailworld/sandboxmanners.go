package mailworld

import "time"

// sandboxManners are the names whose servers answer, in ways that a client has to cope with.
func sandboxManners() []sandboxSite {
	accepted := func(meaning string) SandboxName { return SandboxName{Reason: "mailbox_accepted", Meaning: meaning} }
	return []sandboxSite{
		{
			name:        "catchall",
			SandboxName: SandboxName{Reason: "accepted_catch_all", Meaning: "Every recipient is accepted."},
			domain:      func(d *Domain) { d.CatchAll = true },
		},
		{
			name:        "noutf8",
			local:       "jürgen",
			SandboxName: SandboxName{Reason: "smtputf8_unsupported", Meaning: "The local-part needs SMTPUTF8, which the server does not offer."},
		},
		{
			name: "utf8", local: "jürgen",
			SandboxName: accepted("The local-part needs SMTPUTF8, which the server offers."),
			host:        func(h *Host) { h.SMTPUTF8 = true },
			domain:      func(d *Domain) { d.Mailboxes = append(d.Mailboxes, "jürgen") },
		},
		{
			name:        "starttls",
			SandboxName: accepted("The server offers STARTTLS and demands it."),
			host:        func(h *Host) { h.TLS = TLS{Mode: TLSOn, Required: true} },
		},
		{
			name:        "tlsbroken",
			SandboxName: accepted("The TLS handshake is answered with plain text; without TLS all is well."),
			host:        func(h *Host) { h.TLS = TLS{Mode: TLSGarbage} },
		},
		{
			name:        "twomx",
			SandboxName: accepted("The first of two MX refuses connections."),
			host:        func(h *Host) { h.Network = RefuseConnect },
			domain: func(d *Domain) {
				d.MX = MXs("mx.twomx."+sandboxDomain, "mx2.twomx."+sandboxDomain)
			},
			also: Spec{Hosts: []Host{{Name: "mx2.twomx." + sandboxDomain}}},
		},
		{
			name:        "oneatatime",
			SandboxName: accepted("A second recipient in a transaction gets 452 4.5.3."),
			host:        func(h *Host) { h.Limits.Recipients.N = 1 },
		},
		{
			name:        "nopipelining",
			SandboxName: accepted("The server does not offer PIPELINING."),
			host:        func(h *Host) { h.Pipelining = PipeliningCloses },
		},
		{
			name:        "heloonly",
			SandboxName: accepted("The server knows HELO only."),
			host:        func(h *Host) { h.EHLO.Reply = Say(502, "5.5.2 Error: command not recognized") },
		},
		{
			name:        "slowgreeting",
			SandboxName: accepted("The greeting takes two seconds, its first line comes at once (postscreen)."),
			host: func(h *Host) {
				h.Greeting.Teaser = Say(220, "{host} ESMTP Postfix")
				h.Greeting.Reply = Say(220, "{host} ESMTP Postfix").After(2 * time.Second)
			},
		},
		{
			name:        "tarpit",
			SandboxName: accepted("Refusals of unknown recipients are five seconds late (Exchange)."),
			host:        func(h *Host) { *h = Exchange(h.Name) },
		},
	}
}
