package pool

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/pool/smtp"
)

// flown is a flight whose transactions ask about the recipients in each of txs, and whose commands had these replies, RSET
// included; each took 10 ms.
func flown(txs [][]string, replies []string) *flight {
	f := &flight{sender: "probe@egress.test", at: time.UnixMilli(0)}
	for _, paths := range txs {
		var probes []*probe
		for _, path := range paths {
			probes = append(probes, &probe{rcpt: Recipient{Path: path}})
		}
		f.add(probes, false)
	}
	n := 0
	said := func() (r smtp.Reply) {
		if n < len(replies) {
			r = smtp.ParseReplyText(0, "", replies[n])
			r.At = f.at.Add(time.Duration(n+1) * 10 * time.Millisecond)
		}
		n++
		return r
	}
	for i := range f.batches {
		b := &f.batches[i]
		b.mail = sentReply{f.at, said(), b.mail.meaning}
		for j := range b.replies {
			b.replies[j] = sentReply{at: f.at, reply: said()}
		}
		said()
	}
	return f
}

// What is believed of a flight that was cut short is what can be no later command's reply.
func TestWeigh(t *testing.T) {
	one, two := [][]string{{"ada@a.test"}}, [][]string{{"ada@a.test", "bob@a.test"}}
	each := [][]string{{"ada@a.test"}, {"bob@a.test"}}
	for _, test := range []struct {
		name    string
		txs     [][]string
		replies string // Separated by slashes.
		sure    string // Of each transaction.
	}{
		{"nothing is missing", one, "250 OK/550 no/250 Reset", "[1]"},
		{"a refusal is no RSET's", one, "250 OK/550 no", "[1]"},
		{"unless its code is that of a RSET", one, "250 OK/554 no", "[0]"},
		{"nor is a mailbox put off for now", one, "250 OK/450 no", "[1]"},
		{"an acceptance may be RSET's", one, "250 OK/250 OK", "[0]"},
		{"unless it names the recipient", one, "250 OK/250 <ada@a.test> OK", "[1]"},
		{"in whatever letters", one, "250 OK/250 <Ada@A.TEST> OK", "[1]"},
		{"and not one whose name has it for a part", one, "250 OK/250 <x+ada@a.test> OK", "[0]"},
		{"nor a longer domain", one, "250 OK/250 <ada@a.test-too> OK", "[0]"},
		{"a sentence may end behind a name", one, "250 OK/250 this is ada@a.test.", "[1]"},
		{"no reply at all", one, "", "[0]"},
		{"MAIL's alone", one, "250 OK", "[0]"},
		{"a refusal may be the next recipient's", two, "250 OK/550 no", "[0]"},
		{"the last one is not the first one's", two, "250 OK/250 OK/550 no", "[2]"},
		{"two refusals may be the first one's none", two, "250 OK/550 no/550 no", "[2]"},
		{"two acceptances", two, "250 OK/250 OK/250 OK", "[0]"},
		{"a name, with two missing", two, "250 OK/550 <ada@a.test> no", "[1]"},
		{"a name vouches for all before it", two, "250 OK/250 OK/250 <bob@a.test> OK", "[2]"},
		{"two names", two, "250 OK/550 ada@a.test is not bob@a.test", "[0]"},
		{"a refusal may be the next MAIL's", each, "250 OK/550 no/250 Reset", "[0 0]"},
		{"but not if RSET and recipient are named", each, "250 OK/550 ada@a.test no/250 Reset/250 OK", "[1 0]"},
		{"the second transaction vouches for the first", each, "250 OK/250 OK/250 Reset/250 OK/550 no", "[1 1]"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var replies []string
			if test.replies != "" {
				replies = strings.Split(test.replies, "/")
			}
			f := flown(test.txs, replies)
			f.weigh(&smtp.Error{Kind: smtp.KindDisconnected, Due: len(f.slots()) - len(replies)})
			var sure []int
			for i := range f.batches {
				sure = append(sure, f.batches[i].sure)
			}
			if got := fmt.Sprint(sure); got != test.sure {
				t.Errorf("%q: sure of %s, want %s", test.replies, got, test.sure)
			}
		})
	}
}

// A farewell in its turn takes nothing back; one that was waited for, and one that is not for the last that was due, may.
func TestWeighFarewells(t *testing.T) {
	for _, test := range []struct {
		name  string
		after time.Duration // The reply before it.
		kind  smtp.Kind
		sure  int
	}{
		{"at once", 0, smtp.KindReply, 2},
		{"as late as the others", 10 * time.Millisecond, smtp.KindReply, 2},
		{"later", 10*time.Millisecond + 1, smtp.KindReply, 0},
		{"at once, and no farewell", 0, smtp.KindProtocol, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			f := flown([][]string{{"ada@a.test", "bob@a.test"}}, []string{"250 OK", "550 no"})
			bye := smtp.ParseReplyText(421, "", "bye")
			bye.At = f.batches[0].replies[0].reply.At.Add(test.after)
			f.batches[0].replies[1].reply = bye
			f.weigh(&smtp.Error{Kind: test.kind, Reply: bye, Due: 2})
			if got := f.batches[0].sure; got != test.sure {
				t.Errorf("sure of %d, want %d", got, test.sure)
			}
		})
	}
	for after, sure := range map[time.Duration]int{10 * time.Millisecond: 1, time.Second: 0} {
		f := flown([][]string{{"ada@a.test"}}, []string{"250 OK", "250 OK"})
		bye := smtp.ParseReplyText(421, "", "bye")
		bye.At = f.batches[0].replies[0].reply.At.Add(after)
		f.weigh(&smtp.Error{Kind: smtp.KindReply, Reply: bye, Due: 1})
		if got := f.batches[0].sure; got != sure {
			t.Errorf("in the place of the last, after %v: sure of %d, want %d", after, got, sure)
		}
	}
	f := flown([][]string{{"ada@a.test"}}, nil)
	bye := smtp.ParseReplyText(421, "", "bye")
	bye.At = f.at.Add(time.Second)
	f.batches[0].mail.reply = bye
	f.weigh(&smtp.Error{Kind: smtp.KindReply, Reply: bye, Due: 3})
	if f.batches[0].vague {
		t.Error("a farewell that is the only reply is taken for another's")
	}
}

func TestStrange(t *testing.T) {
	for replies, want := range map[string]bool{
		"250 2.1.0 Ok/250 2.1.5 Ok":                                            false,
		"250 2.1.0 Sender OK/250 2.1.0 Recipient OK":                           false,
		"250 OK/250 Accepted":                                                  false,
		"250 OK/550 5.1.1 <ada@a.test>: unknown":                               false,
		"250 2.1.0 <probe@egress.test>... Sender ok/250 2.1.5 <ada@a.test> ok": false,
		"250 OK/250 ada@a.test may be written to by probe@egress.test":         false,
		"250 OK/550 5.7.1 probe@egress.test may not write":                     false,
		"550 5.1.8 <probe@egress.test>: no such domain/":                       false,
		"250 2.1.5 Ok/250 2.1.5 Ok":                                            true,
		"250 2.1.6 Ok/250 2.1.5 Ok":                                            true,
		"250 <ada@a.test> OK/250 OK":                                           true,
		"550 5.1.1 <ada@a.test>: unknown/":                                     true,
		"250 OK/250 2.1.0 <probe@egress.test>... Sender ok":                    true,
	} {
		if got := flown([][]string{{"ada@a.test"}}, strings.Split(replies, "/")).strange(); got != want {
			t.Errorf("strange(%q) = %v, want %v", replies, got, want)
		}
	}
}
