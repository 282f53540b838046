package mailworld_test

import (
	"context"
	"fmt"
	"net/netip"
	"net/textproto"

	"github.com/verimails/verimaild/internal/mailworld"
)

// A world of one host that refuses the second recipient of a transaction, and what it saw of a client.
func ExampleStartMemory() {
	w, err := mailworld.StartMemory(mailworld.Spec{
		Hosts: []mailworld.Host{{
			Name:   "mx.example.test",
			Limits: mailworld.Limits{Recipients: mailworld.Limit{N: 1}},
		}},
		Domains: []mailworld.Domain{{
			Name: "example.test", MX: mailworld.MXs("mx.example.test"), Mailboxes: []string{"ada", "grace"},
		}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	conn, err := w.Dial(context.Background(), netip.AddrPort{}, w.HostAddr("mx.example.test"))
	if err != nil {
		fmt.Println(err)
		return
	}
	c := textproto.NewConn(conn)
	for _, line := range []string{
		"EHLO a.egress.test", "MAIL FROM:<probe@egress.test>",
		"RCPT TO:<ada@example.test>", "RCPT TO:<grace@example.test>", "NOOP", "QUIT",
	} {
		if _, _, err := c.ReadResponse(0); err != nil {
			fmt.Println(err)
		}
		if err := c.PrintfLine("%s", line); err != nil {
			fmt.Println(err)
		}
	}
	if _, _, err := c.ReadResponse(221); err != nil {
		fmt.Println(err)
	}
	if err := c.Close(); err != nil {
		fmt.Println(err)
	}
	if err := w.Close(); err != nil {
		fmt.Println(err)
	}
	for _, said := range w.Commands("mx.example.test")[1:] {
		fmt.Println(said.Line, "→", said.Code, said.Reply)
	}
	fmt.Println(w.Violations())
	// Output:
	// MAIL FROM:<probe@egress.test> → 250 2.1.0 Ok
	// RCPT TO:<ada@example.test> → 250 2.1.5 Ok
	// RCPT TO:<grace@example.test> → 452 4.5.3 Error: too many recipients
	// NOOP → 250 2.0.0 Ok
	// QUIT → 221 2.0.0 Bye
	// [mx.example.test: session 1 from 127.77.192.1: NOOP is not a prober's command]
}
