// Package maildns resolves a domain to the mail hosts that take its mail, and those to addresses that
// may be dialled: MX records, the implicit MX of RFC 5321 §5.1, the null MX of RFC 7505, A and AAAA.
//
// What the DNS says is data: a [Status] tells "the domain does not exist" from "it has no mail host", and
// both from "the DNS failed" and "the DNS did not answer". Only an answer about the domain may
// lead to a verdict about it, so whatever is in doubt (an answer that contradicts itself, one that the
// server says it made up, a referral, a loop, a message cut short) is a Failure. A Go error means that the
// caller's context ended, that the Resolver is closed, or a fault of the caller.
//
// The package is a stub resolver: it asks recursive servers, those of resolv.conf(5) unless told otherwise,
// and trusts them as far as said above. It keeps no cache; every result carries the TTL to keep it by.
package maildns
