package table

import (
	"bytes"
	"encoding/csv"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/verimails/verimaild/verify/verdict"
)

// answered is an outcome with everything in it.
func answered(r verdict.Reason) Outcome {
	return Outcome{
		Reason:     r,
		Flags:      verdict.Flags{CatchAll: verdict.False, Disposable: verdict.False, FreeProvider: verdict.True},
		DidYouMean: "ada@example.org", MX: "mx.example.com", Provider: "google", SMTPCode: 250, SMTPText: "=2.1.5 OK, fine",
		CheckedAt: time.Date(2026, 11, 23, 10, 0, 0, 0, time.FixedZone("CET", 3600)),
	}
}

func writeRows(t *testing.T, input string, o WriteOptions, outs ...Outcome) string {
	t.Helper()
	l, rows := readAll(t, input, Options{})
	var b bytes.Buffer
	w, err := NewWriter(&b, l, o)
	if err != nil {
		t.Fatal(err)
	}
	for i, row := range rows {
		if err := w.Write(row, outs[i]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestShapes(t *testing.T) {
	const input = "id;email\n1;Ada@Example.com\n2;bob@example.com\n3;\n"
	outs := []Outcome{answered(verdict.MailboxAccepted), {}, {}}
	for _, tt := range []struct {
		name string
		o    WriteOptions
		want string
	}{
		{"csv", WriteOptions{}, `id,email,verdict,reason,subject,catch_all,disposable,role,free_provider,did_you_mean,mx,provider,smtp_code,smtp_text,checked_at
1,Ada@Example.com,deliverable,mailbox_accepted,address,false,false,,true,ada@example.org,mx.example.com,google,250,"'=2.1.5 OK, fine",2026-11-23T09:00:00Z
2,bob@example.com,,,,,,,,,,,,,
3,,undeliverable,invalid_syntax,address,,,,,,,,,line 4: no address,
`},
		{"csv as others want it", WriteOptions{Delimiter: ";", BOM: true, RawFormulas: true}, "\ufeff" + `id;email;verdict;reason;subject;catch_all;disposable;role;free_provider;did_you_mean;mx;provider;smtp_code;smtp_text;checked_at
1;Ada@Example.com;deliverable;mailbox_accepted;address;false;false;;true;ada@example.org;mx.example.com;google;250;"=2.1.5 OK, fine";2026-11-23T09:00:00Z
2;bob@example.com;;;;;;;;;;;;;
3;;undeliverable;invalid_syntax;address;;;;;;;;;line 4: no address;
`},
		{"ndjson", WriteOptions{Shape: ShapeNDJSON}, `{"id":"1","email":"Ada@Example.com","verdict":"deliverable","reason":"mailbox_accepted","subject":"address","catch_all":false,"disposable":false,"role":null,"free_provider":true,"did_you_mean":"ada@example.org","mx":"mx.example.com","provider":"google","smtp_code":250,"smtp_text":"=2.1.5 OK, fine","checked_at":"2026-11-23T09:00:00Z"}
{"id":"2","email":"bob@example.com","verdict":null,"reason":null,"subject":null,"catch_all":null,"disposable":null,"role":null,"free_provider":null,"did_you_mean":null,"mx":null,"provider":null,"smtp_code":null,"smtp_text":null,"checked_at":null}
{"id":"3","email":"","verdict":"undeliverable","reason":"invalid_syntax","subject":"address","catch_all":null,"disposable":null,"role":null,"free_provider":null,"did_you_mean":null,"mx":null,"provider":null,"smtp_code":null,"smtp_text":"line 4: no address","checked_at":null,"line":4,"problem":"no address"}
`},
		{"kickbox", WriteOptions{Shape: ShapeKickbox}, `id,email,result,reason,role,free,disposable,accept_all,did_you_mean,sendex,verimaild_email,user,domain
1,Ada@Example.com,deliverable,accepted_email,false,true,false,false,ada@example.org,1,Ada@Example.com,Ada,Example.com
2,bob@example.com,,,,,,,,,,,
3,,undeliverable,invalid_email,false,false,false,false,,0,,,
`},
		{"zerobounce", WriteOptions{Shape: ShapeZeroBounce}, `id,email,ZB Status,ZB Sub Status,ZB Account,ZB Domain,ZB First Name,ZB Last Name,ZB Gender,ZB Free Email,ZB MX Found,ZB MX Record,ZB SMTP Provider,ZB Did You Mean
1,Ada@Example.com,valid,,Ada,example.com,,,,True,true,mx.example.com,google,ada@example.org
2,bob@example.com,,,,,,,,,,,,
3,,invalid,failed_syntax_check,,,,,,False,false,,,
`},
		{"neverbounce", WriteOptions{Shape: ShapeNeverBounce, NoHeader: true}, `1,Ada@Example.com,valid,0,0,1,0,Ada@Example.com,Example.com,1,1,1
2,bob@example.com,,,,,,,,,,
3,,invalid,1,1,0,0,,,0,0,0
`},
		{"a filter by verdict", WriteOptions{Filter: Filter{Verdicts: []verdict.Verdict{verdict.Undeliverable}}, Shape: ShapeNeverBounce, NoHeader: true}, "3,,invalid,1,1,0,0,,,0,0,0\n"},
		{"a filter by reason", WriteOptions{Filter: Filter{Reasons: []verdict.Reason{verdict.MailboxAccepted, verdict.MailboxFull}}, Shape: ShapeNeverBounce, NoHeader: true}, "1,Ada@Example.com,valid,0,0,1,0,Ada@Example.com,Example.com,1,1,1\n"},
		{
			"a filter that takes nothing",
			WriteOptions{Filter: Filter{Verdicts: []verdict.Verdict{verdict.Deliverable}, Reasons: []verdict.Reason{verdict.InvalidSyntax}}, Shape: ShapeNeverBounce},
			"id,email,email_status,email_status_int,bad_syntax,free_email_host,role_account,addr,host,has_dns_info,has_mail_server,mail_server_reachable\n",
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := writeRows(t, input, tt.o, outs...)
			if tt.o.Shape != ShapeNDJSON {
				if strings.Count(got, "\n") != strings.Count(got, "\r\n") {
					t.Errorf("lines end otherwise than with CRLF: %q", got)
				}
				got = strings.ReplaceAll(got, "\r\n", "\n")
			}
			if got != tt.want {
				t.Errorf("written as\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}

// TestVendorTerms holds the shapes of other services to the words that these have, for every reason there is.
func TestVendorTerms(t *testing.T) {
	for _, r := range verdict.Reasons() {
		out := Outcome{Reason: r}
		k, z, n := kickboxTerm(r), zeroBounceTerm(&out), neverBounceTerm(r)
		if !slices.Contains(strings.Fields("deliverable undeliverable risky unknown"), k.status) ||
			!slices.Contains(strings.Fields("accepted_email rejected_email invalid_email invalid_domain invalid_smtp low_quality "+
				"low_deliverability no_connect timeout unavailable_smtp unexpected_error"), k.detail) {
			t.Errorf("Kickbox has no %+v for %s", k, r)
		}
		if !slices.Contains(strings.Fields("valid invalid catch-all unknown do_not_mail"), z.status) ||
			!slices.Contains(strings.Split(" antispam_system exception_occurred failed_smtp_connection forcible_disconnect greylisted "+
				"mail_server_did_not_respond mail_server_temporary_error timeout_exceeded does_not_accept_mail failed_syntax_check "+
				"mailbox_not_found no_dns_entries mailbox_quota_exceeded unroutable_ip_address alias_address role_based disposable "+
				"global_suppression", " "), z.detail) {
			t.Errorf("ZeroBounce has no %+v for %s", z, r)
		}
		if code := slices.Index(strings.Fields("valid invalid disposable catchall unknown"), n.status); code < 0 || n.detail != codeDigit(code) {
			t.Errorf("NeverBounce has no %+v for %s", n, r)
		}
		// What is not known about an address must not be said of it by other words.
		if r.Verdict() == verdict.Unknown && (k.status == "undeliverable" || z.status == "invalid" || n.status == "invalid") {
			t.Errorf("%s is unknown and becomes %s, %s and %s", r, k.status, z.status, n.status)
		}
		if r.Verdict() == verdict.Undeliverable && (k.status != "undeliverable" || z.status != "invalid" || n.status != "invalid") {
			t.Errorf("%s is undeliverable and becomes %s, %s and %s", r, k.status, z.status, n.status)
		}
		if r.Verdict() == verdict.Deliverable && (k.status != "deliverable" || z.status != "valid" || n.status != "valid") {
			t.Errorf("%s is deliverable and becomes %s, %s and %s", r, k.status, z.status, n.status)
		}
	}
	role := Outcome{Reason: verdict.AcceptedCatchAll, Flags: verdict.Flags{Role: verdict.True}}
	if got := zeroBounceTerm(&role); got != (term{"do_not_mail", "role_based_catch_all"}) {
		t.Errorf("a role at a catch-all domain = %+v", got)
	}
}

func codeDigit(code int) string { return string(rune('0' + code)) }

func TestFormulas(t *testing.T) {
	for cell, want := range map[string]bool{
		"": false, "a": false, "1": false, "a=b": false, "a@b.com": false, "'=1": false, "(1)": false, "%": false,
		"=1+1": true, "=": true, "@SUM(A1)": true, "@ada": true, "\t=1": true, "\rx": true, "\nx": true, " =1": true,
		"\u00a0=1": true, "\ufeff=1": true, "＝1": true, "＠x": true, "＋x": true, "－x": true,
		"+49 30 123456": false, "+49-170-5550100": false, "+1 (555) 010-0000": false, "-12,50": false, "-1.5e3": true, "-": false,
		"--": false, "+tag@b.com": true, "-2+3+cmd|' /C calc'!A0": true, "+A1": true, "- note": true, "-1:2": false, "+": false,
		"+1;=1": true, "-3%": false, "é": false, "日本": false, " plain": false,
	} {
		if got := isFormula(cell); got != want {
			t.Errorf("isFormula(%q) = %v, want %v", cell, got, want)
		}
	}
}

func TestFreeNames(t *testing.T) {
	got := freeNames([]string{"Email", "VERDICT ", "reason", "verimaild_reason", ""}, []string{"verdict", "reason", "mx"})
	if want := []string{"verimaild_verdict", "verimaild_reason_2", "mx"}; !slices.Equal(got, want) {
		t.Errorf("freeNames = %q, want %q", got, want)
	}
	if got, want := uniqueNames([]string{"a", "a", "", "a_2", "a", " "}), []string{"a", "a_3", "column_3", "a_2", "a_4", "column_6"}; !slices.Equal(got, want) {
		t.Errorf("uniqueNames = %q, want %q", got, want)
	}
}

func TestWriterFails(t *testing.T) {
	l, rows := readAll(t, "a@b.com\n", Options{})
	if _, err := NewWriter(nil, l, WriteOptions{Shape: "xml"}); err == nil {
		t.Error("NewWriter takes a shape that there isn't")
	}
	if _, err := NewWriter(nil, l, WriteOptions{Delimiter: "\""}); err == nil {
		t.Error("NewWriter takes a quote for a delimiter")
	}
	broken := errors.New("gone")
	w, err := NewWriter(failingWriter{broken}, l, WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Write(rows[0], Outcome{}); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); !errors.Is(err, broken) {
		t.Errorf("Flush = %v, want %v", err, broken)
	}
}

type failingWriter struct{ err error }

func (f failingWriter) Write([]byte) (int, error) { return 0, f.err }

// TestStandardReader has the CSV read by the standard library, which knows RFC 4180 and no more.
func TestStandardReader(t *testing.T) {
	l, rows := readAll(t, "id,email,note\n1,a@b.com,\"x \"\"y\"\"\r\nz\"\n2,\"b@c.com,\n3,c@d.com,too,many,\"cells\"\n", Options{})
	records, err := csv.NewReader(strings.NewReader(written(t, l, rows, WriteOptions{}))).ReadAll()
	if err != nil || len(records) != 4 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	if got := records[1][2]; got != "x \"y\"\nz" { // The standard library makes LF of CRLF.
		t.Errorf("note = %q", got)
	}
	if got := records[2][0]; got != `2,"b@c.com,` {
		t.Errorf("the bad row = %q", got)
	}
	if got := records[3][2]; got != "too,many,cells" {
		t.Errorf("the long row = %q", got)
	}
}

// TestFormatsPage holds the table in docs/bulk-formats.md to the code.
func TestFormatsPage(t *testing.T) {
	page, err := os.ReadFile("../../../docs/bulk-formats.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, ok := strings.Cut(string(page), "| reason | Kickbox | ZeroBounce | NeverBounce |\n")
	if !ok {
		t.Fatal("docs/bulk-formats.md has no table of reasons")
	}
	documented := map[verdict.Reason]bool{}
	for line := range strings.Lines(table) {
		cells := strings.Split(line, "|")
		for name := range strings.SplitSeq(strings.TrimSpace(cells[1]), ", ") {
			r, err := verdict.ParseReason(strings.Trim(name, "`"))
			if err != nil {
				continue
			}
			documented[r] = true
			k, z, n := kickboxTerm(r), zeroBounceTerm(&Outcome{Reason: r}), neverBounceTerm(r)
			for i, want := range []string{k.status + " / " + k.detail, strings.TrimSuffix(z.status+" / "+z.detail, " / "), n.status} {
				got, _, _ := strings.Cut(strings.TrimSpace(cells[i+2]), ";")
				if got, _, _ = strings.Cut(got, ","); got != want {
					t.Errorf("the page says %q for %s, the code %q", got, r, want)
				}
			}
		}
	}
	for _, r := range verdict.Reasons() {
		if !documented[r] {
			t.Errorf("docs/bulk-formats.md has nothing for %s", r)
		}
	}
}
