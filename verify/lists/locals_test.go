package lists_test

import (
	"testing"

	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/lists"
)

func TestLookupLocalPart(t *testing.T) {
	tests := []struct{ name, local, want string }{
		{"person", "ada.lovelace", ""},
		{"role", "info", "R"},
		{"case", "INFO", "R"},
		{"tag", "info+news", "R"},
		{"tag that is a role", "ada+info", ""},
		{"digit", "info2", "R"},
		{"two digits and a separator", "sales-02", "R"},
		{"three digits are a name", "info123", ""},
		{"short word with a digit is a name", "it7", ""},
		{"RFC 2142 postmaster", "Postmaster", "R"},
		{"RFC 2142 abuse", "abuse", "R"},
		{"RFC 2142 list administration", "golang-nuts-request", "R"},
		{"list owner", "owner-users", "R"},
		{"list owner, new style", "users-owner", "R"},
		{"hyphen", "customer-service", "R"},
		{"dot", "customer.service", "R"},
		{"underscore", "Customer_Service", "R"},
		{"joined", "customerservice", "R"},
		{"split where no word ends", "in.fo", ""},
		{"country", "sales.de", "R"},
		{"team", "marketing-team", "R"},
		{"region after two words", "customer-support_emea", "R"},
		{"role and a person", "sales.john", ""},
		{"person and a role", "john.sales", ""},
		{"role inside a word", "infoman", ""},
		{"German", "kontakt", "R"},
		{"German with umlaut", "Büro", "R"},
		{"French", "service-client", "R"},
		{"Spanish", "ventas", "R"},
		{"Portuguese", "contato", "R"},
		{"Italian", "amministrazione", "R"},
		{"Dutch", "klantenservice", "R"},
		{"Russian", "продажи", "R"},
		{"Chinese", "客服", "R"},
		{"first name near a role", "art", ""},
		{"quoted role", `"info"`, "R"},
		{"empty", `""`, ""},

		{"no-reply", "no-reply", "Rn"},
		{"noreply", "NoReply", "Rn"},
		{"no_reply", "no_reply", "Rn"},
		{"do-not-reply", "do.not.reply", "Rn"},
		{"donotreply", "donotreply", "Rn"},
		{"no-reply and more", "no-reply-7fa3", "Rn"},
		{"noreply and more", "noreply.accounts", "Rn"},
		{"ends in noreply", "jobs-noreply", "Rn"},
		{"ends in no.reply", "jobs.no.reply", "Rn"},
		{"no-reply with a tag", "no-reply+x", "Rn"},
		{"bounces", "bounces-1234", "Rn"},
		{"mailer-daemon", "MAILER-DAEMON", "Rn"},
		{"German no-reply", "nicht-antworten", "Rn"},
		{"noreply inside a word", "anoreplyb", ""},
	}
	l := mustNew(t, lists.Options{})
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := flags(l.Lookup(mustParse(t, tt.local+"@example.com"))); got != tt.want {
				t.Errorf("Lookup(%q) = %q, want %q", tt.local, got, tt.want)
			}
		})
	}
}

func FuzzLookup(f *testing.F) {
	for _, s := range []string{"info", "no-reply-x", "*-x", "a-*", "_._", "Ü", "99", "-", "x-de"} {
		f.Add(s)
	}
	l := mustNew(f, lists.Options{Role: lists.Overlay{Add: []string{file(f, "stable-*")}}})
	f.Fuzz(func(t *testing.T, local string) {
		a, err := address.Parse(local + "@mailinator.com")
		if err != nil {
			return
		}
		n := l.Lookup(a)
		if !n.Disposable || n.NoReply && !n.Role {
			t.Errorf("Lookup(%q) = %+v", a, n)
		}
	})
}
