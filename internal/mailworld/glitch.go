package mailworld

import "strings"

// A Glitch is something that goes wrong in a session, at a reply.
type Glitch struct {
	// On is the verb of the commands whose replies are counted: "RCPT", …; "BANNER" is the greeting, "" any reply.
	// A reply refusing the whole connection is a greeting too.
	On string
	// Nth is which of these replies in the session is meant, from 1 on; 0 means each.
	Nth int
	// Do is what happens at it.
	Do Deed
	// Text is what DoRaw, DoExtra, DoSay and DoFlood send: bytes as they are. {rcpt} and so on are replaced.
	Text string
	// First says the reply at hand before the deed, where the deed would replace it.
	First bool
}

// A Deed is what happens in a Glitch.
type Deed uint8

// The deeds.
const (
	DoClose     Deed = iota // Close instead of replying.
	DoReset                 // Reset the connection instead of replying.
	DoHang                  // Reply to nothing any more; the connection stays open.
	DoDrop                  // Leave out this reply; those of later commands are sent. See World.Interrupt.
	DoExtra                 // Send Text behind the reply: replies nobody asked for.
	DoRaw                   // Send Text in place of the reply.
	DoSay                   // Send Text in place of the reply, and close: "421 4.3.2 …\r\n".
	DoEndless               // Send a line without an end in place of the reply, until the client is gone.
	DoFlood                 // Send Text in place of the reply, over and over, until the client is gone.
	DoHalfClose             // End our direction of the connection in place of the reply, and read on until the client is gone.
	DoSwap                  // Say this reply behind that to the next command, if that is in the same flight.
)

// glitchAt returns the glitch for the reply to verb, the n-th such and the all-th of all.
func (h *Host) glitchAt(verb string, n, all int) *Glitch {
	for i := range h.Glitches {
		g := &h.Glitches[i]
		count := n
		if g.On == "" {
			count = all
		} else if !strings.EqualFold(g.On, verb) {
			continue
		}
		if g.Nth == 0 || g.Nth == count {
			return g
		}
	}
	return nil
}
