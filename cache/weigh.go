package cache

import (
	"unsafe"

	"github.com/verimails/verimaild/verify/maildns"
	"github.com/verimails/verimaild/verify/verdict"
)

// The weights of records in memory are estimates: the structs, the strings, and what the LRU and the heap add.

// itemOverhead is for the LRU's list element and map cell, the item itself and the key.
const itemOverhead = 256

func (r *mailboxRecord) size() int {
	n := itemOverhead + int(unsafe.Sizeof(*r)) + len(r.Provider) + weighEvidence(r.Evidence)
	for _, mx := range r.MX {
		n += int(unsafe.Sizeof(mx)) + len(mx.Host)
	}
	return n
}

func (r *factRecord) size() int {
	return itemOverhead + int(unsafe.Sizeof(*r)) + 2*len(r.Domain) + weighEvidence(r.Evidence)
}

func (r *hostsRecord) size() int {
	n := itemOverhead + int(unsafe.Sizeof(*r)) + 2*len(r.Domain.ASCII()) + len(r.Detail) + len(r.Server)
	for i := range r.Hosts {
		h := &r.Hosts[i]
		n += int(unsafe.Sizeof(maildns.Host{})) + len(h.Name) + len(h.Detail) + 24*(len(h.Addrs)+len(h.Refused))
	}
	return n
}

func weighEvidence(list []verdict.Evidence) int {
	n := 0
	for i := range list {
		ev := &list[i]
		n += int(unsafe.Sizeof(*ev)) + len(ev.MX) + len(ev.Source) + len(ev.Text) + len(ev.Rule)
		for _, l := range ev.Dialogue {
			n += int(unsafe.Sizeof(l)) + len(l.Text)
		}
	}
	return n
}
