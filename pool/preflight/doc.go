// Package preflight looks at the sources as a receiver will: is the address there, is port 25 open, does the address
// have a name that leads back to it, is that the name in EHLO, does the sender's domain take mail and name the
// addresses in its SPF record, is an address on a block list.
//
// A [Finding] is ok, bad, or unknown. What cannot be found out is unknown and never bad: a DNS that is down, a resolver
// that a block list does not answer, an address behind NAT take no source out.
//
// [Examine] looks once. A [Monitor] looks every hour and says which sources are unfit: after two runs that agree, so that
// one lost packet moves nothing.
package preflight
