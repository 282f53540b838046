package mailworld

// sandboxServers are the names whose servers cannot or will not answer.
func sandboxServers() []sandboxSite {
	always := func(r Reply) func(*Host) {
		return func(h *Host) { h.Rcpt = func(string) Reply { return r } }
	}
	return []sandboxSite{
		{
			name:        "tempfail",
			SandboxName: SandboxName{Reason: "server_tempfail", Meaning: "Every recipient is put off: the server has a local problem."},
			host:        always(Say(451, "4.3.0 <{rcpt}>: Temporary lookup failure")),
		},
		{
			name:        "busy",
			SandboxName: SandboxName{Reason: "server_busy", Meaning: "Greeted with 421: the server is too busy."},
			host:        func(h *Host) { h.Greeting.Reply = Say(421, "4.3.2 All server ports are busy") },
		},
		{
			name:        "relaydenied",
			SandboxName: SandboxName{Reason: "relay_denied", Meaning: "The MX says that it does not handle the domain."},
			host:        always(Say(554, "5.7.1 <{rcpt}>: Relay access denied")),
		},
		{
			name:        "nomail",
			SandboxName: SandboxName{Reason: "no_mail_host", Meaning: "The MX says that the domain takes no mail (556)."},
			host:        always(Say(556, "5.1.10 <{rcpt}>: Recipient address rejected: Domain {domain} does not accept mail (nullMX)")),
		},
		{
			name:        "timeout",
			SandboxName: SandboxName{Reason: "connect_timeout", Meaning: "Connections are never established."},
			host:        func(h *Host) { h.Network = BlackHole },
		},
		{
			name:        "refused",
			SandboxName: SandboxName{Reason: "connect_refused", Meaning: "Connections are refused: nothing listens."},
			host:        func(h *Host) { h.Network = RefuseConnect },
		},
		{
			name:        "tlsrequired",
			SandboxName: SandboxName{Reason: "tls_required", Meaning: "TLS is demanded at MAIL, and STARTTLS answered with 454."},
			host:        func(h *Host) { h.TLS = TLS{Mode: TLSTempFail, Required: true} },
		},
		{
			name:        "tlsfailure",
			SandboxName: SandboxName{Reason: "tls_failure", Meaning: "The TLS handshake is answered with plain text, and TLS is demanded at MAIL."},
			host:        func(h *Host) { h.TLS = TLS{Mode: TLSGarbage, Required: true} },
		},
		{
			name:        "protocol",
			SandboxName: SandboxName{Reason: "protocol_error", Meaning: "The reply to RCPT has lines of different codes."},
			host: func(h *Host) {
				h.Glitches = []Glitch{{On: "RCPT", Do: DoRaw, Text: "250-2.1.5 Ok\r\n550 5.1.1 User unknown\r\n"}}
			},
		},
		{
			name:        "disconnected",
			SandboxName: SandboxName{Reason: "disconnected", Meaning: "The connection is closed instead of a reply to RCPT."},
			host:        func(h *Host) { h.Glitches = []Glitch{{On: "RCPT", Do: DoClose}} },
		},
		{
			name:        "sessionlimited",
			SandboxName: SandboxName{Reason: "session_limited", Meaning: "RCPT is answered with 421: the session is over its limit."},
			host:        always(Say(421, "4.7.0 {host} Error: too many errors")),
		},
		{
			name:        "uniform",
			SandboxName: SandboxName{Reason: "uniform_refusal", Meaning: "Every recipient is refused in the same words, even postmaster."},
			host:        always(Say(550, "5.4.1 Recipient address rejected: Access denied.")),
		},
	}
}
