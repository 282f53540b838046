package wire_test

import (
	"encoding/hex"
	"math"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/verimails/verimaild/internal/wire"
)

// A part is a field of each kind.
type part struct {
	Uint     uint64
	Count    int
	Int      int
	Duration time.Duration
	Time     time.Time
	Float    float64
	Text     string
	Bytes    []byte
	A, B     bool
	List     []string
}

func (p *part) append(b []byte) []byte {
	b = wire.AppendInt(wire.AppendCount(wire.AppendUint(b, p.Uint), p.Count), p.Int)
	b = wire.AppendFloat(wire.AppendTime(wire.AppendDuration(b, p.Duration), p.Time), p.Float)
	b = wire.AppendBools(wire.AppendText(wire.AppendText(b, p.Text), p.Bytes), p.A, p.B)
	return wire.AppendList(b, p.List, func(b []byte, s *string) []byte { return wire.AppendText(b, *s) })
}

func read(r *wire.Reader) (p part) {
	p.Uint, p.Count, p.Int = r.Uint(), int(r.UpTo(math.MaxInt32)), r.Int()
	p.Duration, p.Time, p.Float = r.Duration(), r.Time(), r.Float()
	p.Text, p.Bytes = r.Text(), r.Bytes()
	r.Bools(&p.A, &p.B)
	p.List = wire.List(r, (*wire.Reader).Text)
	return p
}

func fullPart() part {
	return part{
		Uint: math.MaxUint64, Count: 300, Int: -2, Duration: -1500 * time.Millisecond, Time: time.UnixMilli(-1), Float: 2.5,
		Text: "ä", Bytes: []byte{0, 1}, B: true, List: []string{"", "x"},
	}
}

func TestRoundTrip(t *testing.T) {
	for name, tt := range map[string]struct {
		part part
		want string
	}{
		"full": {fullPart(), "ffffffffffffffffff01" + "ac02" + "03" + "b717" + "01" + "00002040" + "02c3a4" + "020001" + "02" + "04000178"},
		"zero": {part{Bytes: []byte{}}, "00000000000000000000000000"},
	} {
		b := tt.part.append(nil)
		if got := hex.EncodeToString(b); got != tt.want {
			t.Errorf("%s: appended %s, want %s", name, got, tt.want)
		}
		r := wire.NewReader(b)
		if got := read(&r); !r.Done() || r.Failed() || !reflect.DeepEqual(got, tt.part) {
			t.Errorf("%s: read %+v, want %+v, with %x left", name, got, tt.part, r.Rest())
		}
	}
}

// What is cut short fails, wherever, and gives nothing but zeros from there on.
func TestShort(t *testing.T) {
	full := fullPart()
	b := full.append(nil)
	for n := range b {
		r := wire.NewReader(b[:n])
		if got := read(&r); !r.Failed() || r.Done() || len(r.Rest()) > 0 {
			t.Errorf("the first %d octets read as %+v", n, got)
		}
		if n, s := r.Uint64(), r.Text(); n != 0 || s != "" || !r.Failed() {
			t.Errorf("after a failure: %d, %q", n, s)
		}
	}
	r := wire.NewReader(append(b, 9))
	if read(&r); r.Failed() || r.Done() || !slices.Equal(r.Rest(), []byte{9}) {
		t.Errorf("an octet more: %x left, want 09", r.Rest())
	}
}

func TestNegativeCount(t *testing.T) {
	if got := wire.AppendCount(nil, -1); !slices.Equal(got, []byte{0}) {
		t.Errorf("AppendCount(-1) = %x, want 00", got)
	}
}

func TestBounds(t *testing.T) {
	century := 100 * 365 * 24 * time.Hour
	tests := map[string]struct {
		b    []byte
		read func(*wire.Reader) any
		want any // Nil if it fails.
	}{
		"version":               {[]byte{3}, func(r *wire.Reader) any { r.Version(3); return byte(3) }, byte(3)},
		"another version":       {[]byte{4}, func(r *wire.Reader) any { r.Version(3); return nil }, nil},
		"no version":            {nil, func(r *wire.Reader) any { r.Version(0); return nil }, nil},
		"up to":                 {wire.AppendUint(nil, 7), func(r *wire.Reader) any { return r.UpTo(7) }, uint64(7)},
		"above":                 {wire.AppendUint(nil, 8), func(r *wire.Reader) any { return r.UpTo(7) }, nil},
		"overlong varint":       {slices.Repeat([]byte{0x80}, 11), func(r *wire.Reader) any { return r.Uint() }, nil},
		"largest int":           {wire.AppendInt(nil, math.MaxInt32), func(r *wire.Reader) any { return r.Int() }, math.MaxInt32},
		"larger int":            {wire.AppendInt(nil, math.MaxInt32+1), func(r *wire.Reader) any { return r.Int() }, nil},
		"least int":             {wire.AppendInt(nil, math.MinInt32), func(r *wire.Reader) any { return r.Int() }, math.MinInt32},
		"lesser int":            {wire.AppendInt(nil, math.MinInt32-1), func(r *wire.Reader) any { return r.Int() }, nil},
		"a century":             {wire.AppendDuration(nil, century), func(r *wire.Reader) any { return r.Duration() }, century},
		"a century ago":         {wire.AppendDuration(nil, -century), func(r *wire.Reader) any { return r.Duration() }, -century},
		"more than a century":   {wire.AppendDuration(nil, century+time.Second), func(r *wire.Reader) any { return r.Duration() }, nil},
		"more before":           {wire.AppendDuration(nil, -century-time.Second), func(r *wire.Reader) any { return r.Duration() }, nil},
		"not a number":          {wire.AppendFloat(nil, math.NaN()), func(r *wire.Reader) any { return r.Float() }, nil},
		"infinite":              {wire.AppendFloat(nil, math.Inf(1)), func(r *wire.Reader) any { return r.Float() }, nil},
		"negative":              {wire.AppendFloat(nil, -1), func(r *wire.Reader) any { return r.Float() }, nil},
		"nought":                {wire.AppendFloat(nil, 0), func(r *wire.Reader) any { return r.Float() }, 0.0},
		"eight octets":          {[]byte{1, 2, 3, 4, 5, 6, 7, 8}, func(r *wire.Reader) any { return r.Uint64() }, uint64(0x0102030405060708)},
		"seven octets":          {make([]byte, 7), func(r *wire.Reader) any { return r.Uint64() }, nil},
		"text longer than told": {[]byte{2, 'x'}, func(r *wire.Reader) any { return r.Text() }, nil},
		"a bit too many":        {[]byte{4}, func(r *wire.Reader) any { var a, b bool; r.Bools(&a, &b); return a }, nil},
		"a longer list":         {[]byte{4, 0}, func(r *wire.Reader) any { return wire.List(r, (*wire.Reader).Byte) }, nil},
		"a negative list":       {[]byte{1, 0}, func(r *wire.Reader) any { return wire.List(r, (*wire.Reader).Byte) }, nil},
		"a list that fails":     {[]byte{4, 5, 0}, func(r *wire.Reader) any { return wire.List(r, (*wire.Reader).Text) }, nil},
	}
	for name, tt := range tests {
		r := wire.NewReader(tt.b)
		got := tt.read(&r)
		switch {
		case tt.want == nil && !r.Failed():
			t.Errorf("%s: read %v, want a failure", name, got)
		case tt.want != nil && (!r.Done() || got != tt.want):
			t.Errorf("%s: read %v, want %v", name, got, tt.want)
		}
	}
}

// What is read is a part of the record, and cannot grow into what follows it.
func TestBytesAreAPart(t *testing.T) {
	b := []byte{1, 'x', 7}
	r := wire.NewReader(b)
	_ = append(r.Bytes(), 9)
	if b[2] != 7 {
		t.Errorf("the octet behind the text = %d, want 7", b[2])
	}
}

func FuzzReader(f *testing.F) {
	full, zero := fullPart(), part{}
	f.Add(full.append(nil))
	f.Add(zero.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		r := wire.NewReader(b)
		p := read(&r)
		if !r.Done() {
			return
		}
		r = wire.NewReader(p.append(nil))
		if again := read(&r); !r.Done() || !reflect.DeepEqual(again, p) {
			t.Errorf("read(%x) = %+v, again %+v", b, p, again)
		}
	})
}
