package cache

import (
	"strings"
	"testing"

	"github.com/verimails/verimaild/verify/address"
)

func TestRedact(t *testing.T) {
	tests := []struct {
		name, address, in string
		want              string // With ‹a›, ‹l› and ‹b› for the tokens.
	}{
		{"nothing to hide", "ada@example.com", "User unknown", "User unknown"},
		{"own address", "ada@example.com", "<ada@example.com>: unknown", "<‹a›>: unknown"},
		{"own address in another case", "Ada@example.com", "<ada@EXAMPLE.com>: unknown", "<‹a›>: unknown"},
		{"own local-part", "ada@example.com", "ada: unknown user ADA.", "‹l›: unknown user ‹l›."},
		{"local-part inside words", "ada@example.com", "Canada adamant xada", "Canada adamant xada"},
		{"local-part with dots", "ada.lovelace@example.com", "no ada.lovelace here, ada", "no ‹l› here, ada"},
		{"base of a subaddress", "ada+news@example.com", "ada+news, ada, ada-news", "‹l›, ‹b›, ‹b›-news"},
		{"behind an equals sign", "ada@example.com", "to=ada@example.com?", "to=‹a›?"},
		{"in a link", "ada@example.com", "https://x.test/?u=ada%40example.com", "https://x.test/?u=‹l›%40example.com"},
		{"somebody else", "ada@example.com", "<bob@example.com> or bob@other.example.", "<…@example.com> or …@other.example."},
		{"somebody else at the same name", "ada@example.com", "ada@example.org", "…@example.org"},
		{"longer name", "ada@example.com", "xada@example.com", "…@example.com"},
		{"quoted somebody else", "ada@example.com", `<"bob smith"@other.example>`, `<…@other.example>`},
		{"quoted own", `"a b"@example.com`, `<"a b"@example.com> a b, a bc`, `<‹a›> ‹l›, a bc`},
		{"literal", "ada@example.com", "<bob@[192.0.2.1]>", "<…@[192.0.2.1]>"},
		{"lone at signs", "ada@example.com", "@ a@ @b ada @ x", "@ a@ @b ‹l› @ x"},
		{"mark in the text", "ada@example.com", "a\x1ab ada", "a\x1a\x1ab ‹l›"},
		{"UTF-8", "Ünal@example.com", "<ünal@example.com> Ünal", "<‹a›> ‹l›"},
		{"IDN", "ada@bücher.example", "<ada@bücher.example> <ada@xn--bcher-kva.example>", "<‹a›> <‹a›>"},
		{"two at once", "ada@example.com", "ada@example.com,bob@example.com", "‹a›,…@example.com"},
		{"empty local-part", `""@example.com`, `<""@example.com> bob@example.com`, "<‹a›> …@example.com"},
	}
	tokens := strings.NewReplacer("‹a›", "\x1aa", "‹l›", "\x1al", "‹b›", "\x1ab")
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			red := redactorFor(addr(t, tt.address))
			if got, want := red.redact(tt.in), tokens.Replace(tt.want); got != want {
				t.Errorf("redact(%q) = %q, want %q", tt.in, got, want)
			}
		})
	}
}

func TestRedactWithoutMailbox(t *testing.T) {
	var red redactor
	if got, want := red.redact("<ada@example.com> ada"), "<…@example.com> ada"; got != want {
		t.Errorf("redact = %q, want %q", got, want)
	}
}

func TestRestore(t *testing.T) {
	red := redactorFor(addr(t, "Ada+news@example.com"))
	in := "550 <Ada+news@example.com> Ada+news Ada \x1a <…@other.example>"
	got, err := red.restore(red.redact(in))
	if err != nil || got != in {
		t.Errorf("restore(redact(%q)) = %q, %v", in, got, err)
	}
	for _, bad := range []string{"\x1a", "x\x1az"} {
		if got, err := red.restore(bad); err == nil {
			t.Errorf("restore(%q) = %q, want an error", bad, got)
		}
	}
}

func FuzzRedact(f *testing.F) {
	f.Add("ada+news@example.com", "<ada+news@example.com>: ada unknown; to=bob@example.com")
	f.Add(`"a b"@example.com`, `"a b"@example.com a b "x\"y"@z`)
	f.Fuzz(func(t *testing.T, who, text string) {
		a, err := address.Parse(who)
		if err != nil {
			t.Skip()
		}
		red := redactorFor(a)
		hidden := red.redact(text)
		if strings.Contains(strings.ToLower(hidden), strings.ToLower(a.String())) {
			t.Errorf("redact(%q) = %q, which holds %q", text, hidden, a)
		}
		if _, err := red.restore(hidden); err != nil {
			t.Errorf("restore(redact(%q)) = %v", text, err)
		}
	})
}
