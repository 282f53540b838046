package address

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// A Domain is a domain name of at least two labels. It is made by ParseDomain and Parse only.
// Domains may be compared with ==. The zero Domain is no domain.
type Domain struct {
	name string // Lower-case A-labels, without a final dot.
}

// ParseDomain returns the domain that s spells, in A-labels or U-labels. The error is a *SyntaxError.
//
// What the DNS could hold is let through even where a registry would refuse it (a hyphen in third and fourth place, the
// A-label of a symbol): whether such a domain exists is for the DNS to say.
func ParseDomain(s string) (Domain, error) {
	if len(s) > maxInput {
		msg := fmt.Sprintf("a domain has at most %d octets; this input has %d", maxDomain, len(s))
		return Domain{}, newSyntaxError("domain", s, &fault{maxDomain, msg})
	}
	if off := invalidUTF8(s); off >= 0 {
		return Domain{}, newSyntaxError("domain", s, &fault{off, "this is not valid UTF-8"})
	}
	d, f := parseDomain(s)
	if f != nil {
		return Domain{}, newSyntaxError("domain", s, f)
	}
	return d, nil
}

// ASCII is the domain in lower-case A-labels, without a final dot; "" for the zero Domain.
func (d Domain) ASCII() string { return d.name }

// String is ASCII.
func (d Domain) String() string { return d.name }

// Unicode is the domain in U-labels where it has any. A label that IDNA2008 does not allow stays an A-label.
func (d Domain) Unicode() string { return toUnicode(d.name) }

// parseDomain takes valid UTF-8 of at most maxInput octets.
func parseDomain(s string) (Domain, *fault) {
	if s == "" {
		return Domain{}, &fault{0, "the domain is missing"}
	}
	name := s
	if !isASCII(s) {
		var f *fault
		if name, f = toASCII(s); f != nil {
			return Domain{}, f
		}
	} else if f := checkLabels(s); f != nil {
		return Domain{}, f
	}
	if len(name) > maxDomain {
		return Domain{}, &fault{0, fmt.Sprintf("the domain has %d octets; the DNS holds at most %d", len(name), maxDomain)}
	}
	name = strings.ToLower(name)
	if f := checkLast(s, name); f != nil {
		return Domain{}, f
	}
	return Domain{name}, nil
}

// checkLabels holds every label of the ASCII domain s to RFC 5321 §4.1.2, sub-domain = Let-dig [Ldh-str].
func checkLabels(s string) *fault {
	start := 0
	for i := 0; ; i++ {
		if i < len(s) && s[i] != '.' {
			if c := s[i]; !isLetterDigit(c) && c != '-' {
				return unexpectedInDomain(s, i)
			}
			continue
		}
		if f := checkLabel(s[start:i]); f != nil {
			return emptyLabel(s, start, f)
		}
		if i == len(s) {
			return nil
		}
		start = i + 1
	}
}

// emptyLabel puts f in place, and in words that fit where an empty label stands.
func emptyLabel(s string, start int, f *fault) *fault {
	switch {
	case start < len(s) && s[start] != '.':
		return f.shift(start)
	case start == 0:
		return &fault{0, "the domain starts with a dot"}
	case start == len(s):
		return &fault{start - 1, "the domain ends with a dot"}
	default:
		return &fault{start, "two dots follow each other in the domain"}
	}
}

// checkLabel holds one label of letters, digits and hyphens to the rules about its ends, its length and its prefix.
func checkLabel(label string) *fault {
	switch {
	case label == "":
		return &fault{0, "a label of the domain is empty"}
	case len(label) > maxLabel:
		return &fault{maxLabel, fmt.Sprintf("a label of the domain has %d octets; at most %d are allowed", len(label), maxLabel)}
	case label[0] == '-':
		return &fault{0, "a label of the domain starts with a hyphen"}
	case label[len(label)-1] == '-':
		return &fault{len(label) - 1, "a label of the domain ends with a hyphen"}
	case isALabel(label):
		return checkALabel(label)
	}
	return nil
}

// checkLast holds the domain name to what follows from its last label; s is how it was written.
func checkLast(s, name string) *fault {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return &fault{len(s), "the domain has only one label; a mail domain has a dot"}
	}
	if strings.Trim(name[dot+1:], "0123456789") == "" {
		// RFC 3696 §2: no top-level domain is all digits.
		return &fault{0, "the domain ends in a number; an IP address stands in brackets, as in [192.0.2.1]"}
	}
	return nil
}

// unexpectedInDomain says why the ASCII character at s[i] cannot stand in a domain.
func unexpectedInDomain(s string, i int) *fault {
	switch c := s[i]; {
	case c < ' ' || c == 0x7f:
		return &fault{i, describe(rune(c)) + " is not allowed in an address"}
	case c == '@':
		return &fault{i, "a second @; one that belongs to the local part must stand in quotation marks"}
	case c == '<' || c == '>':
		return &fault{i, "only the bare address is wanted, without angle brackets"}
	case c == '(' || c == ')':
		return &fault{i, "a comment in parentheses is not part of an address"}
	case c == ',' || c == ';':
		return &fault{i, fmt.Sprintf("%q is not allowed in a domain; one address is wanted, not a list", c)}
	default:
		return &fault{i, describe(rune(c)) + " is not allowed in a domain"}
	}
}

func isLetterDigit(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
}

// firstRune is the first character of s.
func firstRune(s string) rune {
	r, _ := utf8.DecodeRuneInString(s)
	return r
}
