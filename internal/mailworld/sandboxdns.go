package mailworld

import "net/netip"

// sandboxDNS are the names whose outcome the DNS decides.
func sandboxDNS() []sandboxSite {
	return []sandboxSite{
		{
			name:        "nullmx",
			SandboxName: SandboxName{Reason: "null_mx", Meaning: "The domain has a null MX: it takes no mail."},
			noHost:      true,
			domain:      func(d *Domain) { d.MX = NullMX() },
		},
		{
			name:        "nomailhost",
			SandboxName: SandboxName{Reason: "no_mail_host", Meaning: "The domain exists and has neither MX nor address."},
			noHost:      true,
			domain:      func(d *Domain) { d.TXT = []string{"v=spf1 -all"} },
		},
		{
			name:        "notfound",
			SandboxName: SandboxName{Reason: "domain_not_found", Meaning: "The domain does not exist (NXDOMAIN)."},
			noHost:      true,
			domain:      func(d *Domain) { d.Fault = NXDomain },
		},
		{
			name:        "unroutable",
			SandboxName: SandboxName{Reason: "mx_unroutable", Meaning: "The MX leads to the private address 10.0.0.5 only."},
			noHost:      true,
			domain:      func(d *Domain) { d.MX = MXs("mx.unroutable." + sandboxDomain) },
			also: Spec{Domains: []Domain{
				{Name: "mx.unroutable." + sandboxDomain, Addrs: []netip.Addr{netip.AddrFrom4([4]byte{10, 0, 0, 5})}},
			}},
		},
		{
			name:        "dnsfailure",
			SandboxName: SandboxName{Reason: "dns_failure", Meaning: "The name server fails (SERVFAIL)."},
			noHost:      true,
			domain:      func(d *Domain) { d.Fault = ServFail },
		},
		{
			name:        "dnstimeout",
			SandboxName: SandboxName{Reason: "dns_timeout", Meaning: "The name server does not answer."},
			noHost:      true,
			domain:      func(d *Domain) { d.Fault = NoAnswer },
		},
		{
			name:        "implicit",
			SandboxName: SandboxName{Reason: "mailbox_accepted", Meaning: "No MX: the domain's own address is its mail host."},
			domain: func(d *Domain) {
				d.Host, d.MX = "mx.implicit."+sandboxDomain, nil
			},
		},
		{
			name: "unverifiable",
			SandboxName: SandboxName{
				Reason:  "provider_unverifiable",
				Meaning: "The MX bears a name of Yahoo's, in the sandbox's DNS only: a provider that accepts every recipient.",
			},
			noHost: true,
			domain: func(d *Domain) { d.MX = MXs("mta5.am0.yahoodns.net") },
			also:   sandboxProvider("mta5.am0.yahoodns.net"),
		},
		{
			name: "suppressed",
			SandboxName: SandboxName{
				Reason:  "probe_suppressed",
				Meaning: "The MX bears a name of Outlook.com's, in the sandbox's DNS only: a provider whose policy forbids probes.",
			},
			noHost: true,
			domain: func(d *Domain) { d.MX = MXs("outlook-com.olc.protection.outlook.com") },
			also:   sandboxProvider("outlook-com.olc.protection.outlook.com"),
		},
	}
}

// sandboxProvider is a host that accepts everything, under a provider's name.
func sandboxProvider(name string) Spec {
	return Spec{Hosts: []Host{{Name: name, Relay: true, Rcpt: func(string) Reply { return Say(250, "2.1.5 recipient ok") }}}}
}
