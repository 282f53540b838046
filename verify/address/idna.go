package address

import (
	"fmt"
	"strings"
	"unicode"

	"golang.org/x/net/idna"
)

// The lookup of RFC 5891 §5 with the mapping of UTS 46: upper case and full-width forms are mapped, bidi and joiner
// rules are checked. Profiles hold no state that changes.
var lookup = idna.New(
	idna.MapForLookup(),
	idna.BidiRule(),
	idna.StrictDomainName(true),
	idna.CheckHyphens(false),
	idna.CheckJoiners(true),
	idna.Transitional(false),
)

const aLabelPrefix = "xn--"

func isALabel(label string) bool {
	return len(label) >= len(aLabelPrefix) && strings.EqualFold(label[:len(aLabelPrefix)], aLabelPrefix)
}

// toASCII turns a domain that is not all ASCII into A-labels, label by label so that an error can say which.
func toASCII(s string) (string, *fault) {
	var b strings.Builder
	for start := 0; ; {
		end := len(s)
		if i := strings.IndexFunc(s[start:], isDot); i >= 0 {
			end = start + i
		}
		label, f := labelToASCII(s[start:end])
		if f != nil {
			return "", f.shift(start)
		}
		b.WriteString(label)
		if end == len(s) {
			return b.String(), nil
		}
		b.WriteByte('.')
		start = end + len(string(firstRune(s[end:])))
	}
}

// isDot reports whether r separates labels: the full stop and those that UTS 46 §4 maps to it.
func isDot(r rune) bool { return r == '.' || r == '\u3002' || r == '\uff0e' || r == '\uff61' }

func labelToASCII(label string) (string, *fault) {
	if isASCII(label) {
		for i := range len(label) {
			if !isLetterDigit(label[i]) && label[i] != '-' {
				return "", unexpectedInDomain(label, i)
			}
		}
		return label, checkLabel(label)
	}
	if i := strings.IndexFunc(label, func(r rune) bool { return unicode.In(r, unicode.C, unicode.Z) && !isJoiner(r) }); i >= 0 {
		return "", &fault{i, describe(firstRune(label[i:])) + " is not allowed in a domain"}
	}
	ascii, err := lookup.ToASCII(label)
	u, uerr := lookup.ToUnicode(label) // The label after mapping.
	if i := strings.IndexFunc(u, func(r rune) bool { return !isPermitted(r) }); i >= 0 {
		r := firstRune(u[i:])
		return "", &fault{max(strings.IndexRune(label, r), 0), describe(r) + " is not allowed in a domain (IDNA2008)"}
	}
	if err != nil || uerr != nil || strings.Contains(ascii, ".") || strings.HasPrefix(u, "-") || strings.HasSuffix(u, "-") {
		return "", &fault{0, "a label of the domain breaks the rules for internationalised names (IDNA2008)"}
	}
	if f := checkLabel(ascii); f != nil {
		return "", &fault{0, fmt.Sprintf("%s (as %.80s)", f.msg, ascii)}
	}
	return ascii, nil
}

// checkALabel wants Punycode that decodes to something that UTS 46 knows. Symbols pass, though IDNA2008 has no place
// for them: such names are registered, and receive mail.
func checkALabel(label string) *fault {
	ascii, err := lookup.ToASCII(label)
	if err != nil || !strings.EqualFold(ascii, label) {
		return &fault{0, fmt.Sprintf("the label %.80q is not a valid A-label (IDNA2008)", label)}
	}
	return nil
}

// toUnicode turns those A-labels of a valid name into U-labels that have one.
func toUnicode(name string) string {
	if !strings.Contains(name, aLabelPrefix) {
		return name
	}
	labels := strings.Split(name, ".")
	for i, label := range labels {
		if !isALabel(label) {
			continue
		}
		u, err := lookup.ToUnicode(label)
		if err != nil || strings.ContainsFunc(u, func(r rune) bool { return !isPermitted(r) }) {
			continue
		}
		if back, f := labelToASCII(u); f == nil && back == label {
			labels[i] = u
		}
	}
	return strings.Join(labels, ".")
}

// isPermitted reports whether r may stand in a U-label: LetterDigits of RFC 5892 §2.1 and the exceptions of §2.6.
// The contextual rules beyond the joiners' are for registration; a lookup need not apply them (RFC 5891 §5.4).
func isPermitted(r rune) bool {
	switch r {
	case '-', 0x00b7, 0x0375, 0x05f3, 0x05f4, 0x06fd, 0x06fe, 0x0f0b, 0x3007, 0x30fb:
		return true
	case 0x0640, 0x07fa, 0x302e, 0x302f, 0x3031, 0x3032, 0x3033, 0x3034, 0x3035, 0x303b:
		return false
	}
	return isJoiner(r) || unicode.In(r, unicode.Ll, unicode.Lo, unicode.Lm, unicode.Mn, unicode.Mc, unicode.Nd)
}

// isJoiner reports whether r is CONTEXTJ, RFC 5892 §2.8.
func isJoiner(r rune) bool { return r == 0x200c || r == 0x200d }
