package table

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// exactNames are names of address columns in several languages, as nameKey writes them.
const exactNames = " email emails emailaddress emailaddresses emailadress emailid mail mails mailaddress mailaddresses " +
	"useremail contactemail primaryemail primaryemailaddress workemail businessemail personalemail personemail " +
	"customeremail subscriberemail recipient recipientemail emailwork emailprimary email1 email1address email1value " +
	"emailaddress1 emailadresse mailadresse emailanschrift adresseemail adressemail courriel adressecourriel " +
	"adresseelectronique correo correoelectronico correoelectrónico direccióndecorreo direcciondecorreo " +
	"indirizzoemail indirizzomail postaelettronica epost epostadresse epostadress eposta epostaadresi sähköposti " +
	"sähköpostiosoite emailcím adresemail adresaemail adresaemailowa emailadres mailadres enderecodeemail " +
	"endereçodeemail correiodeemail почта электроннаяпочта элпочта メールアドレス メール 邮箱 电子邮件 电子邮箱 電子郵件 " +
	"이메일 이메일주소 "

// nameKey is a column's name without case, spaces and punctuation.
func nameKey(name string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, name)
}

// nameRank says how much a column's name speaks for addresses: 2 if it is one for them, 1 if it has to do with e-mail.
func nameRank(name string) int {
	key := nameKey(name)
	switch {
	case key == "" || len(key) > 60:
		return 0
	case strings.Contains(exactNames, " "+key+" "):
		return 2
	case strings.Contains(key, "email") || strings.Contains(key, "mailadr") || strings.Contains(key, "mailaddr"):
		return 1
	}
	return 0
}

// A candidate is a column as far as addresses go.
type candidate struct {
	index int
	share float64 // Of the cells that are not empty, those that look like addresses.
	full  float64 // Of all rows, those with something that looks like an address.
}

// candidates looks at the columns of rows.
func candidates(rows [][]string) []candidate {
	width := 0
	for _, row := range rows {
		width = max(width, len(row))
	}
	filled, likely := make([]int, width), make([]int, width)
	for _, row := range rows {
		for i, cell := range row {
			if strings.TrimSpace(cell) == "" {
				continue
			}
			filled[i]++
			if looksLikeAddress(cell) {
				likely[i]++
			}
		}
	}
	out := make([]candidate, width)
	for i := range out {
		out[i] = candidate{index: i, full: float64(likely[i]) / float64(max(len(rows), 1))}
		if filled[i] > 0 {
			out[i].share = float64(likely[i]) / float64(filled[i])
		}
	}
	return out
}

// bestColumn is the column of rows that shows most addresses; of two alike, the one with more rows, then the first.
func bestColumn(rows [][]string) candidate {
	best := candidate{index: -1}
	for _, c := range candidates(rows) {
		if best.index < 0 || c.share > best.share || c.share == best.share && c.full > best.full {
			best = c
		}
	}
	return best
}

// columnNames is the columns of a list, from its header and its rows. Where the rows have more cells than the header has
// names, the rest has no names; if the addresses then stand one to the right of their name, as in what R writes, it is
// the first that has none.
func columnNames(header []string, rows [][]string) []string {
	width := max(usualWidth(rows, header != nil), len(header), 1)
	if len(rows) == 0 || width == len(header) {
		return append(slices.Clone(header), make([]string, width-len(header))...)
	}
	names := make([]string, width)
	shift := 0
	if best := bestColumn(rows); len(header) > 0 && width == len(header)+1 && best.index > 0 && best.share >= 0.5 &&
		nameRank(header[best.index-1]) > 0 && (best.index == len(header) || nameRank(header[best.index]) == 0) {
		shift = 1
	}
	copy(names[shift:], header)
	return names
}

// usualWidth is the largest number of cells that enough rows have: half of them where there is a header to go by, a tenth
// and at least two where there is none. Empty cells at the end are not counted.
func usualWidth(rows [][]string, header bool) int {
	counts := map[int]int{}
	for _, row := range rows {
		n := len(row)
		for n > 1 && strings.TrimSpace(row[n-1]) == "" {
			n--
		}
		counts[n]++
	}
	enough := max(len(rows)/10, min(len(rows), 2))
	if header {
		enough = (len(rows) + 1) / 2
	}
	usual := 0
	for w, n := range counts {
		if n >= enough {
			usual = max(usual, w)
		}
	}
	return usual
}

// pick finds the column of the addresses in a CSV list.
func (in *inspection) pick(rows [][]string) (column int, by string, err error) {
	if in.o.Column != "" {
		column, err = in.given()
		return column, ByOption, err
	}
	names := in.l.Columns
	if len(names) == 1 {
		return 0, ByDefault, nil
	}
	best, by := -1, ""
	var bestScore float64
	for _, c := range candidates(rows) {
		if c.index >= len(names) {
			break
		}
		rank := 0
		if in.l.Header {
			rank = nameRank(names[c.index])
		}
		if score := columnScore(rank, c); score > bestScore {
			best, bestScore, by = c.index, score, ByContent
			if rank > 0 {
				by = ByName
			}
		}
	}
	if best < 0 && in.l.Header {
		best, by = slices.IndexFunc(names, func(n string) bool { return nameRank(n) == 2 }), ByName
	}
	if best < 0 {
		return 0, "", &ColumnError{Columns: in.described()}
	}
	return best, by, nil
}

// columnScore ranks a column: first those that mostly hold addresses, among them by name, then by how many there are.
func columnScore(rank int, c candidate) float64 {
	if c.full == 0 {
		return 0
	}
	score := float64(rank)*10 + c.full
	if c.share >= 0.5 {
		score += 100
	}
	return score
}

// given is the column that the options name: by name, or by number from 1.
func (in *inspection) given() (int, error) {
	want := strings.TrimSpace(in.o.Column)
	if in.l.Header {
		for _, same := range []func(a, b string) bool{
			func(a, b string) bool { return a == b },
			strings.EqualFold,
			func(a, b string) bool { return nameKey(a) != "" && nameKey(a) == nameKey(b) },
		} {
			i := slices.IndexFunc(in.l.Columns, func(n string) bool { return same(strings.TrimSpace(n), want) })
			if i >= 0 {
				return i, nil
			}
		}
	}
	n, err := strconv.Atoi(want)
	switch {
	case err == nil && n >= 1 && n <= len(in.l.Columns):
		return n - 1, nil
	case err != nil && !in.l.Header:
		return 0, errNoNames
	}
	return 0, &ColumnError{Wanted: want, Columns: in.described()}
}

// described names the columns for an error message.
func (in *inspection) described() []string {
	var out []string
	for i, n := range in.l.Columns[:min(len(in.l.Columns), 20)] {
		out = append(out, either(strings.ToValidUTF8(strings.TrimSpace(n), "?"), "column "+strconv.Itoa(i+1)))
	}
	return out
}
