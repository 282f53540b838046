package mailworld

import "time"

// sandboxSources are the names whose servers object to who asks, and how often.
func sandboxSources() []sandboxSite {
	return []sandboxSite{
		{
			name:        "blocked",
			SandboxName: SandboxName{Reason: "source_blocked", Meaning: "Greeted with 554: the source address is blocked."},
			host: func(h *Host) {
				h.Blocks = []Block{{At: AtConnect, Reply: Say(554, "{host} ESMTP not accepting connections\n"+
					"Your access to this mail system from [{ip}] has been rejected due to the sending MTA's poor reputation.")}}
			},
		},
		{
			name:        "rcptblocked",
			SandboxName: SandboxName{Reason: "source_blocked", Meaning: "Every recipient is refused because the source address is on a block list."},
			host: func(h *Host) {
				h.Blocks = []Block{{At: AtRCPT, Reply: Say(554, "5.7.1 Service unavailable; Client host [{ip}] blocked using zen.dnsbl.test; "+
					"https://www.dnsbl.test/query/ip/{ip}")}}
			},
		},
		{
			name:        "noptr",
			SandboxName: SandboxName{Reason: "source_no_ptr", Meaning: "Every recipient is put off because the source has no reverse DNS."},
			host: func(h *Host) {
				h.Blocks = []Block{{At: AtRCPT, Reply: Say(450, "4.7.25 Client host rejected: cannot find your reverse hostname, [{ip}]")}}
			},
		},
		{
			name:        "ratelimited",
			SandboxName: SandboxName{Reason: "source_rate_limited", Meaning: "Every recipient is put off: the source asks too often."},
			host: func(h *Host) {
				h.Blocks = []Block{{At: AtRCPT, Reply: Say(450, "4.7.1 <{rcpt}>: Recipient address rejected: "+
					"rate limit exceeded for client [{ip}], try again in 15 minutes")}}
			},
		},
		{
			name:        "harvest",
			SandboxName: SandboxName{Reason: "harvest_limited", Meaning: "Every recipient is refused: the source has named too many unknown ones."},
			host: func(h *Host) {
				h.Blocks = []Block{{At: AtRCPT, Reply: Say(550, "5.7.1 Too many invalid recipients from [{ip}], "+
					"directory harvest attack prevention is active for this hour")}}
			},
		},
		{
			name: "acceptsuspect",
			SandboxName: SandboxName{
				Reason: "mailbox_not_found", Later: "accept_suspect",
				Meaning: "Three unknown recipients an hour are refused, then every recipient is accepted without a word " +
					"(to be noticed it needs memory, sandbox.memory).",
			},
			host: func(h *Host) {
				h.Harvest = Harvest{Limit: 3, Window: time.Hour, Then: HarvestAccepts}
			},
			domain: func(d *Domain) { d.Mailboxes = nil },
		},
		{
			name:        "senderrefused",
			SandboxName: SandboxName{Reason: "sender_refused", Meaning: "MAIL is refused: the sender's domain is said not to exist."},
			host: func(h *Host) {
				h.Senders = map[string]Reply{"*": Say(550, "5.1.8 <{sender}>: Sender address rejected: Domain not found")}
			},
		},
		{
			name:        "helorefused",
			SandboxName: SandboxName{Reason: "helo_refused", Meaning: "EHLO is refused: the name does not suit the server."},
			host: func(h *Host) {
				h.EHLO.Reply = Say(550, "5.7.1 <{helo}>: Helo command rejected: Host name does not match your address [{ip}]")
				h.EHLO.HELO = h.EHLO.Reply
			},
		},
		{
			name: "greylist",
			SandboxName: SandboxName{
				Reason: "greylisted", Later: "mailbox_accepted",
				Meaning: "Every recipient is put off for 300s from the first attempt; then people are accepted.",
			},
			domain: func(d *Domain) { d.Greylist = 300 * time.Second },
		},
	}
}
