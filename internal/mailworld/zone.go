package mailworld

import (
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	defaultTTL         = 5 * time.Minute
	defaultNegativeTTL = time.Minute
)

// A zone is what the name server knows: all domains, hosts and sources.
type zone struct {
	static  map[string]*domain
	found   sync.Map        // Of *domain, by name: what Spec.Find has said; nil for a name it does not know.
	parents map[string]bool // Names that exist because names below them do.
	ptr     map[netip.Addr]string
	find    func(string) (Domain, bool)
	only    []string
}

// A domain is a Domain in its world.
type domain struct {
	spec      Domain
	hosts     []string // That serve it, by name.
	mailboxes map[string]bool

	mu      sync.Mutex
	queries int // For addresses; ThenAddrs counts on it.
}

// build makes the zone of a world whose addresses are known.
func (z *zone) build(w *World) {
	z.static = make(map[string]*domain, len(w.spec.Domains)+len(w.spec.Hosts))
	z.parents = make(map[string]bool)
	z.ptr = make(map[netip.Addr]string)
	z.find, z.only = w.spec.Find, w.spec.Only
	for i := range w.spec.Hosts {
		h := w.hosts[canonical(w.spec.Hosts[i].Name)]
		z.add(Domain{Name: h.name, Addrs: slices.Concat(h.dead, h.addrs)})
		for _, a := range h.addrs {
			z.ptr[a] = h.name
		}
	}
	z.addSources(w)
	terms := w.sourceTerms()
	for _, d := range w.spec.Domains {
		if d.Host != "" {
			h := w.hosts[canonical(d.Host)]
			d.Addrs = slices.Concat(h.dead, h.addrs, d.Addrs)
		}
		d.TXT = slices.Clone(d.TXT)
		for i, t := range d.TXT {
			d.TXT[i] = strings.ReplaceAll(t, "{sources}", terms)
		}
		z.add(d)
	}
	for _, d := range z.static {
		d.hosts = z.hostsOf(d.spec)
	}
}

// namedSources is how many source addresses of the first network have a name.
const namedSources = perNet

func (z *zone) addSources(w *World) {
	for n := range namedSources {
		name, a := w.spec.sourceName(n), w.SourceAddr(n)
		if name == "" {
			continue
		}
		z.ptr[a] = name
		if d := z.static[name]; d != nil {
			d.spec.Addrs = append(d.spec.Addrs, a)
			continue
		}
		z.add(Domain{Name: name, Addrs: []netip.Addr{a}})
	}
}

// sourceTerms is what {sources} in a TXT record stands for.
func (w *World) sourceTerms() string {
	terms := make([]string, 8)
	for n := range terms {
		terms[n] = "ip4:" + w.SourceAddr(n).String()
	}
	return strings.Join(terms, " ")
}

// add puts a domain into the zone. A name that is there already, as that of a host, gets the records of both.
func (z *zone) add(d Domain) {
	d.Name = canonical(d.Name)
	if old := z.static[d.Name]; old != nil && d.CNAME == "" {
		own := slices.DeleteFunc(slices.Clone(d.Addrs), func(a netip.Addr) bool { return slices.Contains(old.spec.Addrs, a) })
		d.Addrs = slices.Concat(old.spec.Addrs, own)
	}
	z.static[d.Name] = newDomain(d)
	for name := d.Name; ; {
		_, parent, ok := strings.Cut(name, ".")
		if !ok || z.parents[parent] {
			return
		}
		z.parents[parent] = true
		name = parent
	}
}

func newDomain(d Domain) *domain {
	out := &domain{spec: d, mailboxes: make(map[string]bool, len(d.Mailboxes))}
	for _, m := range d.Mailboxes {
		out.mailboxes[strings.ToLower(m)] = true
	}
	return out
}

// lookup returns the domain of this canonical name.
func (z *zone) lookup(name string) (*domain, bool) {
	if d := z.static[name]; d != nil {
		return d, true
	}
	if z.find == nil {
		return nil, false
	}
	if v, ok := z.found.Load(name); ok {
		d := v.(*domain)
		return d, d != nil
	}
	var d *domain
	if spec, ok := z.find(name); ok {
		spec.Name = name
		d = newDomain(spec)
		d.hosts = z.hostsOf(spec)
	}
	v, _ := z.found.LoadOrStore(name, d)
	d = v.(*domain)
	return d, d != nil
}

// hostsOf are the names of the hosts that a domain's MX records lead to, aliases followed.
func (z *zone) hostsOf(d Domain) []string {
	var out []string
	if d.Host != "" {
		out = append(out, canonical(d.Host))
	}
	if len(d.MX) == 0 {
		out = append(out, canonical(d.Name)) // An implicit MX, if it is a host.
	}
	for _, mx := range d.MX {
		name := canonical(mx.Host)
		for range maxChain {
			next := z.static[name]
			if next == nil || next.spec.CNAME == "" {
				break
			}
			name = canonical(next.spec.CNAME)
		}
		out = append(out, name)
		if next := z.static[name]; next != nil && next.spec.Host != "" {
			out = append(out, canonical(next.spec.Host))
		}
	}
	return out
}

// domainOf returns what the world knows about a recipient's domain.
func (w *World) domainOf(name string) (*domain, bool) { return w.zone.lookup(canonical(name)) }

// addrs are the addresses of a name; ThenAddrs replaces Addrs once both families may have been asked for.
func (d *domain) addrs(v4 bool) []netip.Addr {
	d.mu.Lock()
	defer d.mu.Unlock()
	list := d.spec.Addrs
	if d.spec.ThenAddrs != nil && d.queries > 0 {
		list = d.spec.ThenAddrs
	}
	if v4 {
		d.queries++
	}
	var out []netip.Addr
	for _, a := range list {
		if a.Is4() == v4 {
			out = append(out, a)
		}
	}
	return out
}

// reply is what the domain says about a recipient at a host.
func (d *domain) reply(path string, b *behaviour) Reply {
	local, _ := splitPath(path)
	local = strings.ToLower(local)
	accept := b.texts.rcpt
	if r, ok := d.spec.Replies[local]; ok {
		if r.Code == 0 && r.Then == Continue && r.Greylist > 0 { // Only greylisted: accepted in the end.
			accept.Greylist, accept.Delay = r.Greylist, r.Delay
			return accept
		}
		return r
	}
	if d.mailboxes[local] || local == "postmaster" {
		return accept
	}
	if d.spec.Rcpt != nil {
		if r := d.spec.Rcpt(path); !r.isZero() {
			return r
		}
	}
	if d.spec.CatchAll {
		return accept
	}
	return d.spec.Unknown.or(b.Unknown).or(b.texts.unknown)
}
