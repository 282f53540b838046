package mailworld

import "slices"

const (
	sandboxDomain = "sandbox.test"
	sandboxHost   = "mx.sandbox.test"
)

// A SandboxName is an address of the sandbox whose verdict is known.
type SandboxName struct {
	// Address is the address to ask about.
	Address string
	// Meaning says, in one sentence, what its mail server or its DNS does.
	Meaning string
	// Reason is the reason code that the answer must have when the address is asked about first,
	// with memory and budgets off.
	Reason string
	// Later is the reason that repeated asking leads to, as Meaning says; "" if it stays the same.
	Later string
}

// A sandboxSite is a name below sandbox.test with, usually, a mail host of its own: the row of the table and
// what makes it true.
type sandboxSite struct {
	name  string // The label.
	local string // The local-part to ask about; "" means anyone.
	SandboxName
	host   func(h *Host)   // Changes the host; nil leaves a normal one.
	domain func(d *Domain) // Changes the domain; nil leaves it with its one host and the usual people.
	noHost bool
	also   Spec // Further hosts and domains.
}

// Sandbox is the world of the daemon's sandbox mode. NAME@sandbox.test has outcomes that belong to a mailbox,
// anyone@NAME.sandbox.test those that belong to a domain, a server or a source, each with a mail host of its own;
// [SandboxNames] lists them. Beside them it has the people of [SandboxPeople], at every domain that has mailboxes,
// and egress.test, a domain for senders, with SPF for the first sources and the mailbox probe.
// Names outside .test are refused by its name server, so that a real address is never called dead.
func Sandbox() Spec {
	spec := Spec{
		Only: []string{"test"},
		Hosts: []Host{
			{Name: sandboxHost, SMTPUTF8: true, TLS: TLS{Mode: TLSOn}},
			{Name: "mx.egress.test"},
		},
		Domains: []Domain{
			{Name: sandboxDomain, MX: MXs(sandboxHost), Rcpt: sandboxRecipients(), TXT: []string{"v=spf1 -all"}},
			{
				Name: "egress.test", MX: MXs("mx.egress.test"), TXT: []string{"v=spf1 {sources} -all"},
				Mailboxes: []string{"probe", "abuse"},
			},
		},
	}
	for _, site := range sandboxSites() {
		site.addTo(&spec)
	}
	return spec
}

// addTo puts the site into a spec.
func (site *sandboxSite) addTo(spec *Spec) {
	name := site.name + "." + sandboxDomain
	mx := "mx." + name
	d := Domain{Name: name, MX: MXs(mx), Mailboxes: append(SandboxPeople(), "anyone")}
	if site.noHost {
		d.MX = nil
	} else {
		h := Host{Name: mx}
		if site.host != nil {
			site.host(&h)
		}
		spec.Hosts = append(spec.Hosts, h)
	}
	if site.domain != nil {
		site.domain(&d)
	}
	spec.Domains = append(spec.Domains, d)
	spec.Hosts = append(spec.Hosts, site.also.Hosts...)
	spec.Domains = append(spec.Domains, site.also.Domains...)
}

// SandboxNames lists the addresses of the sandbox that have a meaning: mailboxes first, then domains.
func SandboxNames() []SandboxName {
	var out []SandboxName
	for _, m := range sandboxMailboxes() {
		out = append(out, m.SandboxName)
	}
	for _, site := range sandboxSites() {
		n := site.SandboxName
		local := site.local
		if local == "" {
			local = "anyone"
		}
		n.Address = local + "@" + site.name + "." + sandboxDomain
		out = append(out, n)
	}
	return out
}

// SandboxPeople are the mailboxes with normal-looking names that exist in the sandbox.
func SandboxPeople() []string {
	return []string{
		"ada", "alan", "barbara", "claude", "dennis", "donald", "edsger", "frances", "grace", "hedy", "jean", "jim",
		"john", "joan", "karen", "katherine", "ken", "leslie", "lynn", "margaret", "mary", "niklaus", "radia", "robin",
		"sophie", "tim", "tony", "ada.lovelace", "grace.hopper", "alan.turing",
	}
}

// sandboxRoles are the role names that exist in the sandbox.
func sandboxRoles() []string {
	return []string{"info", "admin", "sales", "support", "contact", "office", "abuse", "webmaster", "billing", "noreply"}
}

// sandboxSites are all names below sandbox.test.
func sandboxSites() []sandboxSite {
	return slices.Concat(sandboxDNS(), sandboxSources(), sandboxServers(), sandboxManners())
}
