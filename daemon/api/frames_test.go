package api

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/verify/verdict"
)

// TestSameAnswer: an answer that differs in whatever field is another one, but for Email and Took.
func TestSameAnswer(t *testing.T) {
	base := ada()
	for field, value := range reflect.ValueOf(base).Elem().Fields() {
		t.Run(field.Name, func(t *testing.T) {
			other := *base
			change(t, reflect.ValueOf(&other).Elem().FieldByIndex(field.Index))
			if reflect.DeepEqual(value.Interface(), reflect.ValueOf(other).FieldByIndex(field.Index).Interface()) && field.Name != "Evidence" {
				t.Fatal("the test does not change the field")
			}
			want := field.Name == "Email" || field.Name == "Took"
			if got := sameAnswer(base, &other); got != want {
				t.Errorf("sameAnswer() = %t, want %t", got, want)
			}
		})
	}
}

// change gives a field another value; a slice, other memory.
func change(t *testing.T, v reflect.Value) {
	t.Helper()
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = x.Add(time.Millisecond)
	case *verdict.Flags:
		x.Role = verdict.True
	case *[]verdict.MX:
		*x = append([]verdict.MX(nil), *x...)
		(*x)[0].Preference++
	case *[]verdict.Evidence:
		*x = append([]verdict.Evidence(nil), *x...)
	case **verdict.Trace:
		*x = &verdict.Trace{}
	case *bool:
		*x = !*x
	case *time.Duration:
		*x += time.Second
	default:
		if v.Kind() != reflect.String {
			t.Fatalf("no other value for a %s", v.Type())
		}
		v.SetString(v.String() + "x")
	}
}

// TestFrames: replies are the same with and without a frame, and follow the answer.
func TestFrames(t *testing.T) {
	s := New(Options{Verifier: verifierFunc(echo)})
	a := ada()
	a.Cached, a.RetryAt = true, time.Time{}
	written := func(a *verdict.Answer) string {
		out := wireAnswer(a)
		return string(out.AppendJSON(nil))
	}
	for i := range 4 { // Not kept, made, kept, and changed.
		a.Email, a.Took = fmt.Sprintf("Ada+%d@example.com", i), time.Duration(i)*time.Millisecond
		if i == 3 {
			a.Flags.Role = verdict.True
		}
		if got, want := string(s.appendAnswer(nil, a)), written(a); got != want {
			t.Errorf("reply %d =\n%s\nwant\n%s", i, got, want)
		}
		if frame, _ := s.frames.find(a); (frame != nil) != (i > 0) {
			t.Errorf("reply %d: kept = %t, want %t", i, frame != nil, i > 0)
		}
	}
	for _, forget := range []string{a.Normalized, ""} {
		out := wireAnswer(a)
		s.frames.keep(a, out.Frame())
		if s.frames.forget(forget); s.frames.lru.Len() != 0 || s.frames.bytes != 0 {
			t.Errorf("after forget(%q): %d frames, %d bytes, want none", forget, s.frames.lru.Len(), s.frames.bytes)
		}
	}
	fresh := *a
	fresh.Cached = false
	later := *a
	later.RetryAt = nine
	for range 3 {
		s.appendAnswer(nil, &fresh)
		s.appendAnswer(nil, &later)
	}
	if n := s.frames.lru.Len(); n != 0 {
		t.Errorf("%d frames of answers that change by themselves, want none", n)
	}
}

// TestFramesBounded: what is kept stays within bounds, and what is asked for once is not kept.
func TestFramesBounded(t *testing.T) {
	f := newFrames()
	a := ada()
	a.Cached, a.RetryAt = true, time.Time{}
	for i := range 2000 {
		a.Normalized = fmt.Sprintf("ada%d@example.com", i)
		if _, worth := f.find(a); worth {
			t.Fatalf("%s is worth keeping the first time", a.Normalized)
		}
	}
	a.Explanation = strings.Repeat("x", maxFrameSize/2)
	out := wireAnswer(a)
	frame := out.Frame()
	for i := range 3000 {
		a.Normalized = fmt.Sprintf("ada%d@example.com", i)
		f.keep(a, frame)
	}
	if f.bytes > maxFrameBytes || f.bytes < maxFrameBytes/2 {
		t.Errorf("%d bytes kept, want nearly %d", f.bytes, maxFrameBytes)
	}
	a.Explanation = strings.Repeat("x", maxFrameSize)
	out = wireAnswer(a)
	n := f.lru.Len()
	a.Normalized = "long@example.com"
	if f.keep(a, out.Frame()); f.lru.Len() != n {
		t.Error("a frame of more than maxFrameSize was kept")
	}
}
