// Package mailworld is a loopback Internet: DNS and SMTP servers that behave as told and remember what they saw.
//
// A [Spec] says, in plain structs, which mail hosts and domains exist and how they behave. [Start] runs it on real
// sockets, [StartMemory] without any, for tests inside a testing/synctest bubble; the two differ in nothing else.
// Each mail host has an address of its own, 127.x.y.z, all listen on one high port, and one name server answers for
// every name. [World.SourceAddr] hands out addresses to dial from.
//
//	w, err := mailworld.Start(mailworld.Spec{
//		Hosts:   []mailworld.Host{{Name: "mx.example.test"}},
//		Domains: []mailworld.Domain{{Name: "example.test", MX: mailworld.MXs("mx.example.test"), Mailboxes: []string{"ada"}}},
//	})
//	defer w.Close()
//	// Ask w.DNSAddr() for example.test, dial what it says at w.Port() …
//	for _, c := range w.Commands("mx.example.test") { … }
//	w.Check(t) // No DATA, no second domain in a transaction, no command after 421, …
//
// The servers are strict where a receiver may be: whatever a prober must never do is kept as a violation, see
// [World.Violations]. They are as odd as asked elsewhere: most of what real servers do to a prober, from greylisting
// and tarpits to a 421 in the middle of a burst, is a field of [Host]; what no field says, a [Step] script does.
//
// [Sandbox] is the world behind the daemon's sandbox mode, where the address asked for picks the outcome.
//
// The package imports nothing of this module, so that a bug in our reply code can't hide in the server that tests it.
// Traffic never leaves 127.0.0.0/8 and ::1.
package mailworld
