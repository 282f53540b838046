package bulk

import (
	"errors"
	"fmt"
	"iter"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/verimails/verimaild/internal/wire"
)

// rowsOf is a list of addresses; what begins with "!" is a row that could not be read.
func rowsOf(addrs []string) iter.Seq2[listRow, error] {
	return func(yield func(listRow, error) bool) {
		for _, a := range addrs {
			r := listRow{address: a}
			if problem, bad := strings.CutPrefix(a, "!"); bad {
				r = listRow{problem: problem}
			}
			if !yield(r, nil) {
				return
			}
		}
	}
}

func everyRow(uint64) bool { return true }

// prepared is the order of a list.
func prepared(t testing.TB, memory int, rows iter.Seq2[listRow, error], mine func(uint64) bool) (*order, string) {
	t.Helper()
	dir := t.TempDir()
	p := preparer{dir: dir, memory: memory, mayGoOn: func() error { return nil }}
	sizes, err := p.prepare(rows, mine)
	if err != nil {
		t.Fatalf("prepare() = %v", err)
	}
	o, err := openOrder(dir, sizes)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.close(); err != nil {
			t.Error(err)
		}
	})
	return o, dir
}

// questionsOf is all questions of an order, by domain.
func questionsOf(t testing.TB, o *order) [][]question {
	t.Helper()
	var out [][]question
	for i := range uint32(o.sizes.Domains) {
		d, err := o.domain(i)
		if err != nil {
			t.Fatal(err)
		}
		var qs []question
		at := d.offset
		for range d.questions {
			q, n, err := o.question(at)
			if err != nil {
				t.Fatal(err)
			}
			qs = append(qs, q)
			at += uint64(n)
		}
		out = append(out, qs)
	}
	return out
}

func TestOrder(t *testing.T) {
	list := []string{
		"ada@a.test", "bob@b.test", "ada@A.TEST", "not an address", "!line 5: a quote that is not closed", "carl@a.test",
		"not an address", "ada@a.test", "dora@a.test", "!line 5: a quote that is not closed",
	}
	for _, memory := range []int{1 << 20, 100} {
		t.Run(fmt.Sprintf("%d bytes", memory), func(t *testing.T) {
			o, dir := prepared(t, memory, rowsOf(list), everyRow)
			want := sizes{Rows: 10, Mine: 10, Questions: 7, Domains: 3, Copies: 3, Bytes: o.sizes.Bytes}
			if o.sizes != want {
				t.Errorf("sizes = %+v, want %+v", o.sizes, want)
			}
			all := questionsOf(t, o)
			var texts []string
			for _, qs := range all {
				for _, q := range qs {
					texts = append(texts, fmt.Sprintf("%d %d×%d %s", q.kind, q.row, q.rows, q.text))
				}
			}
			slices.Sort(texts)
			wantTexts := []string{
				"0 1×3 ada@a.test", "0 2×1 bob@b.test", "0 6×1 carl@a.test", "0 9×1 dora@a.test", "1 4×2 not an address",
				"2 10×1 line 5: a quote that is not closed", "2 5×1 line 5: a quote that is not closed",
			}
			if !slices.Equal(texts, wantTexts) {
				t.Errorf("questions = %q, want %q", texts, wantTexts)
			}
			if last := all[len(all)-1]; len(last) != 1 || last[0].text != "bob@b.test" {
				t.Errorf("the last domain has %v, want the smallest one", last)
			}
			left, err := os.ReadDir(dir)
			if err != nil || len(left) != 3 {
				t.Errorf("the directory has %v, %v, want the three files", left, err)
			}
			var got [][2]uint64
			for c, err := range o.repeats() {
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, [2]uint64{c.row, c.of})
			}
			if want := [][2]uint64{{3, 1}, {7, 4}, {8, 1}}; !slices.Equal(got, want) {
				t.Errorf("copies = %v, want %v", got, want)
			}
		})
	}
}

// TestOrderOfSome prepares a job that has only some of a list's rows.
func TestOrderOfSome(t *testing.T) {
	o, _ := prepared(t, 1<<20, rowsOf([]string{"ada@a.test", "ada@a.test", "bob@b.test", "ada@a.test"}), func(row uint64) bool { return row != 1 && row != 3 })
	if o.sizes.Rows != 4 || o.sizes.Mine != 2 || o.sizes.Questions != 1 {
		t.Errorf("sizes = %+v, want 4 rows, 2 mine, 1 question", o.sizes)
	}
	if q := questionsOf(t, o)[0][0]; q.row != 2 || q.rows != 2 {
		t.Errorf("question = %+v, want rows 2 and 4", q)
	}
}

// TestOrderHasAll sorts with very little memory, and finds each row once.
func TestOrderHasAll(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	list := make([]string, 5000)
	for i := range list {
		list[i] = fmt.Sprintf("u%d@d%d.test", r.IntN(3000), r.IntN(40)*r.IntN(40))
	}
	o, _ := prepared(t, 4<<10, rowsOf(list), everyRow)
	seen := map[uint64]bool{}
	count, last := 0, uint32(1<<30)
	for _, qs := range questionsOf(t, o) {
		_, name, _ := strings.Cut(qs[0].text, "@")
		for _, q := range qs {
			if list[q.row-1] != q.text || seen[q.row] {
				t.Fatalf("question %+v is not row %d, %s, or is there twice", q, q.row, list[q.row-1])
			}
			if !strings.HasSuffix(q.text, "@"+name) {
				t.Fatalf("question %+v stands among those of %s", q, name)
			}
			seen[q.row] = true
			count += int(q.rows)
		}
		size := uint32(len(qs))
		if size >= 2*last {
			t.Fatalf("a domain of %d questions comes after one of %d", size, last)
		}
		last = size
	}
	for c, err := range o.repeats() {
		if err != nil {
			t.Fatal(err)
		}
		if seen[c.row] || list[c.row-1] != list[c.of-1] {
			t.Fatalf("row %d is not a copy of row %d", c.row, c.of)
		}
		seen[c.row] = true
	}
	if len(seen) != len(list) || count != len(list) {
		t.Errorf("%d rows, counted as %d, want %d", len(seen), count, len(list))
	}
}

// TestPrepareStops stops a preparation by each of the things that can end it.
func TestPrepareStops(t *testing.T) {
	broken := errors.New("broken")
	many := make([]string, 20_000)
	for i := range many {
		many[i] = fmt.Sprintf("u%d@a.test", i)
	}
	calls := 0
	for _, tt := range []struct {
		name string
		rows iter.Seq2[listRow, error]
		may  func() error
	}{
		{"the list", func(yield func(listRow, error) bool) { yield(listRow{}, broken) }, func() error { return nil }},
		{"at once", rowsOf(many), func() error { return broken }},
		{"later", rowsOf(many), func() error {
			if calls++; calls > 7 {
				return broken
			}
			return nil
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			p := preparer{dir: dir, memory: 10 << 10, mayGoOn: tt.may}
			if _, err := p.prepare(tt.rows, everyRow); !errors.Is(err, broken) {
				t.Errorf("prepare() = %v, want %v", err, broken)
			}
			left, err := os.ReadDir(dir)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range left {
				if strings.Contains(f.Name(), ".sort") {
					t.Errorf("%s was left behind", f.Name())
				}
			}
		})
	}
}

// TestDamagedOrder opens orders that are not what was written.
func TestDamagedOrder(t *testing.T) {
	o, dir := prepared(t, 1<<20, rowsOf([]string{"ada@a.test", "bob@b.test"}), everyRow)
	if _, _, err := o.question(o.sizes.Bytes - 1); !errors.Is(err, errDamaged) {
		t.Errorf("question() in the middle of one = %v, want %v", err, errDamaged)
	}
	if _, err := o.domain(2); !errors.Is(err, errDamaged) {
		t.Errorf("domain() beyond the last = %v, want %v", err, errDamaged)
	}
	if err := os.Truncate(dir+"/"+questionsName, 3); err != nil {
		t.Fatal(err)
	}
	if _, err := openOrder(dir, o.sizes); !errors.Is(err, errDamaged) {
		t.Errorf("openOrder() of a short file = %v, want %v", err, errDamaged)
	}
	if err := os.Remove(dir + "/" + copiesName); err != nil {
		t.Fatal(err)
	}
	if _, err := openOrder(dir, o.sizes); !errors.Is(err, errDamaged) {
		t.Errorf("openOrder() without a file = %v, want %v", err, errDamaged)
	}
}

func FuzzReadQuestion(f *testing.F) {
	f.Add((&question{row: 1, rows: 2, text: "ada@a.test"}).append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := wire.NewReader(b)
		q := readQuestion(&r, 1<<40)
		if r.Failed() {
			return
		}
		r = wire.NewReader(q.append(nil))
		if again := readQuestion(&r, 1<<40); !r.Done() || again != q {
			t.Errorf("readQuestion(%x) = %+v; again %+v, with %x left", b, q, again, r.Rest())
		}
	})
}
