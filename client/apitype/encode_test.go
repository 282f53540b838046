package apitype

import (
	"bytes"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// full returns an Answer in which every field has a value of its own: a field that the encoder forgets or
// misnames shows up as a difference.
func full() Answer {
	var a Answer
	n := 0
	fill(reflect.ValueOf(&a).Elem(), &n)
	return a
}

// fill sets v and everything below it to values that are not zero.
func fill(v reflect.Value, n *int) {
	*n++
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Date(2026, 11, 23, 9, 0, *n%60, 0, time.UTC)))
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprintf("value %d", *n))
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(int64(*n))
	case reflect.Uint16:
		v.SetUint(uint64(*n))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), n)
		}
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(field, n)
		}
	default:
		panic("fill: " + v.Type().String())
	}
}

// reflected is what encoding/json makes of the struct tags, without our encoder.
func reflected(t *testing.T, a Answer) string {
	t.Helper()
	type plain Answer
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(plain(a)); err != nil {
		t.Fatal(err)
	}
	return strings.TrimSuffix(buf.String(), "\n")
}

func TestAppendJSONFollowsStructTags(t *testing.T) {
	a := full()
	if got, want := string(a.AppendJSON(nil)), reflected(t, a); got != want {
		t.Errorf("AppendJSON() =\n%s\nwant what the struct tags say:\n%s", got, want)
	}
}

func TestDomainRecordFollowsStructTags(t *testing.T) {
	var r DomainRecord
	n := 0
	fill(reflect.ValueOf(&r).Elem(), &n)
	got, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	type plain DomainRecord
	want, err := json.Marshal(plain(r))
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("MarshalJSON() =\n%s\nwant what the struct tags say:\n%s", got, want)
	}
	var back DomainRecord
	if err := json.Unmarshal(got, &back); err != nil || !reflect.DeepEqual(back, r) {
		t.Errorf("Unmarshal(Marshal(r)) = %+v, %v, want %+v", back, err, r)
	}
}

func TestDomainRecordZeroIsNull(t *testing.T) {
	for _, tt := range []struct {
		name string
		r    DomainRecord
		want string
	}{
		{"nothing", DomainRecord{Domain: "a.example"}, `{"domain":"a.example","mail_hosts":null,"habit":null,"contradicted_at":null}`},
		{
			"empty parts",
			DomainRecord{Domain: "a.example", MailHosts: &MailHosts{Hosts: []MailHost{{Host: "mx.a.example"}}}, Habit: &DomainHabit{}},
			`{"domain":"a.example","mail_hosts":{"status":null,"implicit":false,` +
				`"hosts":[{"host":"mx.a.example","preference":0,"addresses":[],"refused":[]}],"detail":null,"server":null,` +
				`"checked_at":null,"expires_at":null,"age_s":0,"freshness":null},` +
				`"habit":{"accepts_all":null,"reason":null,"evidence":[],"checked_at":null,"expires_at":null,"age_s":0,"freshness":null},` +
				`"contradicted_at":null}`,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got, err := json.Marshal(tt.r); err != nil || string(got) != tt.want {
				t.Errorf("Marshal(%+v) = %s, %v, want %s", tt.r, got, err, tt.want)
			}
		})
	}
}

func TestFrame(t *testing.T) {
	a := full()
	f := a.Frame()
	a.Email, a.TookMS = "\"jörg b\"@example.com", 77
	if got, want := string(f.AppendJSON(nil, a.Email, a.TookMS)), string(a.AppendJSON(nil)); got != want {
		t.Errorf("Frame().AppendJSON() =\n%s\nwant\n%s", got, want)
	}
}

func TestAppendJSONRoundTrip(t *testing.T) {
	want := full()
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got Answer
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("Unmarshal(Marshal(a)) = %+v, want %+v", got, want)
	}
}

func TestZeroIsNull(t *testing.T) {
	a := Answer{Email: "x", Evidence: []Evidence{{Stage: "connect", Text: "no route"}}}
	got := string(a.AppendJSON(nil))
	const want = `{"email":"x","normalized":null,"verdict":"","reason":"","subject":"","explanation":"",` +
		`"flags":{"catch_all":null,"disposable":null,"privacy_relay":null,"role":null,"free_provider":null,"no_reply":null,"subaddress":null,"smtputf8":null,"implicit_mx":null},` +
		`"did_you_mean":null,"provider":null,"domain":null,` +
		`"evidence":[{"stage":"connect","control":false,"mx":null,"ip":null,"source":null,"tls":null,"code":null,"enhanced":null,"text":"no route","class":null,"scope":null,"at":null,"rule":null,"dialogue":[]}],` +
		`"cached":false,"checked_at":null,"expires_at":null,"retry_at":null,"took_ms":0,` +
		`"accept_all":null,"stage":null,"provider_mode":null,"provider_note":null,"trace":null}`
	if got != want {
		t.Errorf("AppendJSON() =\n%s\nwant\n%s", got, want)
	}
	var back Answer
	if err := json.Unmarshal([]byte(got), &back); err != nil {
		t.Fatal(err)
	}
	if back.Evidence[0].Code != 0 || !back.RetryAt.IsZero() || back.Domain != nil {
		t.Errorf("nulls came back as %+v", back)
	}
}

func TestAppendTime(t *testing.T) {
	berlin := time.FixedZone("CET", 3600)
	for _, tt := range []struct {
		name string
		t    time.Time
		want string
	}{
		{"zero", time.Time{}, `null`},
		{"whole second", time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC), `"2026-11-23T09:00:00Z"`},
		{"nanoseconds", time.Date(2026, 11, 23, 9, 0, 0, 120456789, time.UTC), `"2026-11-23T09:00:00.12Z"`},
		{"other zone", time.Date(2026, 11, 23, 10, 0, 0, 0, berlin), `"2026-11-23T09:00:00Z"`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(appendTime(nil, tt.t)); got != tt.want {
				t.Errorf("appendTime(%v) = %s, want %s", tt.t, got, tt.want)
			}
		})
	}
}

// TestStamp: a time is written as if it were the only one, whatever was written before it.
func TestStamp(t *testing.T) {
	nine := time.Date(2026, 11, 23, 9, 0, 0, 0, time.UTC)
	var last stamp
	var got, want []byte
	for _, at := range []time.Time{
		nine, nine, nine.Add(time.Microsecond), nine.Add(time.Millisecond),
		{},
		nine.Add(time.Millisecond), nine,
		time.Unix(0, 0), time.Unix(0, 0), nine.In(time.FixedZone("CET", 3600)),
		{},
		time.Unix(-1, 0),
	} {
		got = last.append(append(got, ' '), at)
		want = appendTime(append(want, ' '), at)
	}
	if string(got) != string(want) {
		t.Errorf("stamps =\n%s\nwant\n%s", got, want)
	}
}

func FuzzAppendString(f *testing.F) {
	for _, s := range []string{"", "Ada@example.com", "jörg@例え.jp", "a\"b\\c\r\n\t\x00\x1f\x7f", "\xff\xc3\x28", "<&>\u2028", "\xed\xa0\x80"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b := appendString(nil, s)
		var got string
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("appendString(%q) = %s: %v", s, b, err)
		}
		if want := string([]rune(s)); got != want { // Each byte that is not UTF-8 becomes U+FFFD.
			t.Errorf("appendString(%q) reads back as %q, want %q", s, got, want)
		}
		if !utf8.Valid(b) {
			t.Errorf("appendString(%q) = %q is not UTF-8", s, b)
		}
	})
}

func BenchmarkAppendJSON(b *testing.B) {
	a := full()
	a.Evidence = a.Evidence[:1]
	a.Evidence[0].Dialogue = nil
	buf := make([]byte, 0, 4096)
	b.ReportAllocs()
	for b.Loop() {
		buf = a.AppendJSON(buf[:0])
	}
}
