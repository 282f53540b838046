package judge

import "testing"

func TestWords(t *testing.T) {
	const ada, bob = "ada@example.com", "bob@example.com"
	words := func(text, path string) uint64 { return Words(550, "5.1.1", text, path) }
	base := words("<ada@example.com>: Recipient address rejected: User unknown", ada)
	for _, test := range []struct {
		name string
		got  uint64
		same bool
	}{
		{"another recipient", words("<bob@example.com>: Recipient address rejected: User unknown", bob), true},
		{"another case, other gaps", words("<BOB@Example.com>:  recipient address rejected: user unknown", bob), true},
		{"a number of its own", words("<bob@example.com>: Recipient address rejected: User unknown [x4Tq7]", bob), true},
		{"the local-part alone", words("bob: Recipient address rejected: User unknown", bob), true},
		{"the domain too", words("bob (example.com): Recipient address rejected: User unknown", bob), true},
		{"other words", words("<bob@example.com>: Recipient address rejected: mailbox disabled", bob), false},
		{"a word less", words("<bob@example.com>: address rejected: User unknown", bob), false},
		{"words joined", words("<bob@example.com>: Recipient addressrejected: User unknown", bob), false},
		{"another code", Words(554, "5.1.1", "<bob@example.com>: Recipient address rejected: User unknown", bob), false},
		{"another enhanced code", Words(550, "5.7.1", "<bob@example.com>: Recipient address rejected: User unknown", bob), false},
		{"no domain in the path", words("postmaster: Recipient address rejected: User unknown", "postmaster"), true},
	} {
		if (test.got == base) != test.same {
			t.Errorf("%s: the same words = %v, want %v", test.name, test.got == base, test.same)
		}
	}
	if Words(0, "", "", "") == 0 {
		t.Error("Words of nothing = 0")
	}
}
