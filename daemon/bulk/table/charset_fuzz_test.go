package table

import (
	"bytes"
	"compress/gzip"
	"encoding/binary"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf16"
	"unicode/utf8"
)

// FuzzSource unpacks anything that begins as gzip does: what comes out is what the standard library finds, or an error of
// ours, and it is never more than the limit.
func FuzzSource(f *testing.F) {
	one, two := zipped(f, "a@b.com\n"), zipped(f, strings.Repeat("c@d.com\n", 100))
	for _, in := range []string{one, one + two, one + "\x00\x00\x00", one + "\x00" + two, one + "x", one[:len(one)-3], "\x1f\x8b", zipped(f, ""), strings.Repeat(zipped(f, ""), 20), zipped(f, strings.Repeat("\x00", 5000))} {
		f.Add([]byte(in))
	}
	const most = 4096
	f.Add(bytes.Repeat([]byte("0"), most+7))
	f.Fuzz(func(t *testing.T, in []byte) {
		limits := Limits{Bytes: most, Ratio: 100}
		got, err := unpacked(bytes.NewReader(in), limits)
		slow, errSlow := unpacked(iotest.OneByteReader(bytes.NewReader(in)), limits)
		if !bytes.Equal(got, slow) || (err == nil) != (errSlow == nil) {
			t.Errorf("%d bytes, %v; byte by byte %d, %v", len(got), err, len(slow), errSlow)
		}
		if len(got) > most {
			t.Errorf("%d bytes came out, want at most %d", len(got), most)
		}
		if err != nil {
			if !errors.Is(err, ErrTooLarge) && !errors.Is(err, ErrTruncated) && !errors.Is(err, ErrCorrupt) {
				t.Errorf("unpacking %x = %v, want an error of ours", in, err)
			}
			return
		}
		want := in
		if bytes.HasPrefix(in, []byte{0x1f, 0x8b}) {
			zr, err := gzip.NewReader(bytes.NewReader(bytes.TrimRight(in, "\x00")))
			if err != nil {
				return // It ends in zeros that are its own.
			}
			if want, err = io.ReadAll(zr); err != nil {
				return // As above; or padding between members, which gzip(1) takes.
			}
		}
		if !bytes.Equal(got, want) {
			t.Errorf("%x unpacks to %q, want %q", in, got, want)
		}
	})
}

func unpacked(r io.Reader, limits Limits) ([]byte, error) {
	s, err := newSource(r, limits)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(s)
}

// FuzzUTF16 reads a list in UTF-16 as the same in UTF-8.
func FuzzUTF16(f *testing.F) {
	for _, text := range []string{"email,name\na@b.com,J\u00f6rg\n", "a@b.com\r\nc@d.com\r\n", "\"a@b.com\";\"\U0001f600\n\"\n", "\u2028\u0a0d", "{\"email\":\"a@b.com\"}\n"} {
		f.Add(text, true)
		f.Add(text, false)
	}
	f.Fuzz(func(t *testing.T, text string, big bool) {
		if !utf8.ValidString(text) || strings.HasPrefix(text, "\x1f\x8b") || strings.ContainsRune(text, '\ufeff') || strings.ContainsRune(text, utf8.RuneError) {
			return
		}
		var order binary.AppendByteOrder = binary.LittleEndian
		if big {
			order = binary.BigEndian
		}
		wide := order.AppendUint16(nil, 0xfeff)
		for _, unit := range utf16.Encode([]rune(text)) {
			wide = order.AppendUint16(wide, unit)
		}
		narrow, errNarrow := Inspect(strings.NewReader("\ufeff"+text), Options{})
		l, err := Inspect(bytes.NewReader(wide), Options{})
		if (err == nil) != (errNarrow == nil) {
			t.Fatalf("Inspect(%q) = %v, in UTF-16 %v", text, errNarrow, err)
		}
		if err != nil {
			return
		}
		got, want := rowsOf(t, string(wide), l), rowsOf(t, "\ufeff"+text, narrow)
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%q has the rows %+v, in UTF-16 %+v", text, want, got)
		}
		if _, err := Inspect(bytes.NewReader(wide[:len(wide)-1]), Options{}); len(text) > 0 && err == nil {
			if _, err := io.ReadAll(decoded(bytes.NewReader(wide[2:len(wide)-1]), l.Charset)); !errors.Is(err, ErrTruncated) {
				t.Errorf("%q without its last byte = %v, want %v", text, err, ErrTruncated)
			}
		}
	})
}
