package preflight

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// maxNames is how many names of an address are followed. A host has one.
const maxNames = 5

// ptr looks for a name of the address that leads back to it. It returns those that do.
func (x *exam) ptr(ctx context.Context, id *identity) (finding, []string) {
	answer := func(st State, what, advice string) finding { return id.finding(CheckPTR, Warning, st, what, advice) }
	if !id.public.IsValid() {
		return answer(Unknown, "cannot tell: "+id.unseen(), id.advice), nil
	}
	rec := x.opts.DNS.PTR(ctx, id.public)
	switch rec.Status {
	case Failed:
		return answer(Unknown, fmt.Sprintf("the PTR of %v could not be looked up: %s", id.public, rec.Detail), resolverAdvice), nil
	case Absent:
		return answer(Bad, fmt.Sprintf("%v has no PTR record", id.public), id.ptrAdvice()), nil
	}
	names := rec.Values[:min(len(rec.Values), maxNames)]
	var confirmed []string
	doubt := ""
	for _, n := range names {
		fwd := x.opts.DNS.Addrs(ctx, n)
		switch {
		case slices.ContainsFunc(fwd.Values, func(a netip.Addr) bool { return a.Unmap() == id.public }):
			confirmed = append(confirmed, n)
		case fwd.Status == Failed:
			doubt = fwd.Detail
		}
	}
	said := sayable(strings.Join(names, ", "))
	switch {
	case len(confirmed) > 0:
		return answer(OK, fmt.Sprintf("%v is %s, and back", id.public, sayable(confirmed[0])), ""), confirmed
	case doubt != "":
		return answer(Unknown, fmt.Sprintf("%v is %s, whose address could not be looked up: %s", id.public, said, doubt), resolverAdvice), nil
	default:
		return answer(Bad, fmt.Sprintf("%v is %s, and that name does not lead back to it", id.public, said),
			fmt.Sprintf("Give %s an address record with %v, or change the PTR record to a name that has one.", sayable(names[0]), id.public)), nil
	}
}

const resolverAdvice = "See whether the resolver of this host answers."

// ptrAdvice says who has to do what about an address without a name.
func (id *identity) ptrAdvice() string {
	name := id.EHLO
	if name == "" || strings.HasPrefix(name, "[") {
		name = "a name of yours"
	}
	return fmt.Sprintf("Have the provider of the address set its PTR record to %s.", name)
}

// unseen says why it is not known as what the world sees the identity.
func (id *identity) unseen() string {
	if id.why != "" {
		return id.why
	}
	return "the address that the world sees is not known"
}

// ehlo looks whether the name in EHLO is one of the confirmed names of the address.
func (x *exam) ehlo(ctx context.Context, id *identity, ptr State, confirmed []string) finding {
	answer := func(st State, what, advice string) finding { return id.finding(CheckEHLO, Warning, st, what, advice) }
	name := strings.ToLower(strings.TrimSuffix(id.EHLO, "."))
	switch {
	case strings.HasPrefix(name, "["):
		return answer(Bad, "the name in EHLO is an address literal, which many servers refuse",
			fmt.Sprintf("Set ehlo of source %s to the name of its address.", id.Name))
	case slices.Contains(confirmed, name):
		return answer(OK, fmt.Sprintf("the name in EHLO, %s, is that of the address", name), "")
	case !id.public.IsValid():
		return answer(Unknown, "cannot tell: "+id.unseen(), id.advice)
	}
	fwd := x.opts.DNS.Addrs(ctx, name)
	leads := slices.ContainsFunc(fwd.Values, func(a netip.Addr) bool { return a.Unmap() == id.public })
	switch {
	case fwd.Status == Failed:
		return answer(Unknown, fmt.Sprintf("the address of %s could not be looked up: %s", name, fwd.Detail), resolverAdvice)
	case !leads:
		return answer(Bad, fmt.Sprintf("the name in EHLO, %s, does not lead to %v", name, id.public),
			fmt.Sprintf("Give %s an address record with %v, or set ehlo of source %s to the name of its address.", name, id.public, id.Name))
	case ptr == Unknown:
		return answer(Unknown, fmt.Sprintf("%s leads to %v; whether the address leads to %s could not be looked up", name, id.public, name), resolverAdvice)
	case len(confirmed) > 0:
		return answer(Bad, fmt.Sprintf("the name in EHLO is %s, and that of the address is %s", name, sayable(confirmed[0])),
			fmt.Sprintf("Set ehlo of source %s to %s.", id.Name, sayable(confirmed[0])))
	default:
		return answer(Bad, fmt.Sprintf("the name in EHLO, %s, leads to %v, and the address does not lead back", name, id.public), id.ptrAdvice())
	}
}
