package maildns

// Distrust says whether some server that is asked invents addresses for names that do not exist. While one does, nobody
// can tell a domain that does not exist, or has no mail host, from one that has; what would rest on that is a Failure.
// It holds for look-ups that begin after it, and is safe for concurrent use.
func (r *Resolver) Distrust(invents bool) { r.invents.Store(invents) }

// distrusted is m as far as it can be believed.
func (r *Resolver) distrusted(m MailHosts) MailHosts {
	if !r.invents.Load() {
		return m
	}
	switch {
	case m.Status == DomainNotFound, m.Status == NoMailHost, m.Implicit:
		return MailHosts{
			Status: Failure, Server: m.Server, TTL: m.TTL,
			Detail: "the resolver invents addresses for names that do not exist, so its word about this domain is worth nothing",
		}
	}
	return m
}
