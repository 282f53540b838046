package cli

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// runExplain runs one command line and returns what it said.
func runExplain(t *testing.T, stdin io.Reader, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	code = Main(append([]string{"explain"}, args...), stdin, &out, &errOut)
	return code, out.String(), errOut.String()
}

func TestExplainForAPerson(t *testing.T) {
	tests := []struct {
		name  string
		stdin string
		args  []string
		want  []string
	}{
		{
			name: "unknown user",
			args: []string{"550 5.1.1 <ada@example.com>: Recipient address rejected: User unknown"},
			want: []string{"no_such_mailbox", "mailbox: the mailbox that was asked about", "undeliverable, mailbox_not_found", "unknown-user"},
		},
		{
			name: "block list, at the greeting",
			args: []string{"--stage", "connect", "554 5.7.1 Client host [192.0.2.1] blocked using zen.spamhaus.org"},
			want: []string{"source_blocked (block_listed)", "unknown, source_blocked", "refused by  Spamhaus", "https://check.spamhaus.org/"},
		},
		{
			name: "the provider is known by the mail hosts",
			args: []string{"--mx", "example-com.mail.protection.outlook.com", "550 5.4.1 Recipient address rejected: Access denied"},
			want: []string{"provider    microsoft_365", "no_such_mailbox"},
		},
		{
			name: "the provider is named",
			args: []string{"--provider", "google", "450 4.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages"},
			want: []string{"deliverable, mailbox_busy", "ask again   in 1h0m0s"},
		},
		{
			name:  "from standard input, several lines",
			stdin: "451-4.7.1 Greylisting in action,\r\n451 4.7.1 please come back in 00:04:58\r\n",
			want:  []string{"greylisted", "ask again   in 4m58s"},
		},
		{
			name: "nothing known",
			args: []string{"550 Sorry"},
			want: []string{"other", "unknown, protocol_error", "add a rule"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, out, errOut := runExplain(t, strings.NewReader(tt.stdin), tt.args...)
			if code != exitOK || errOut != "" {
				t.Errorf("explain %q = exit code %d, %q on standard error, want 0 and nothing", tt.args, code, errOut)
			}
			for _, w := range tt.want {
				if !strings.Contains(out, w) {
					t.Errorf("explain %q printed no %q:\n%s", tt.args, w, out)
				}
			}
		})
	}
}

func TestExplainUsage(t *testing.T) {
	tests := []struct {
		name string
		args []string
		want string
	}{
		{"no code", []string{"hello"}, "no code"},
		{"two replies", []string{"550 a", "550 b"}, "in quotes"},
		{"stage", []string{"--stage", "vrfy", "550 a"}, "--stage"},
		{"provider", []string{"--provider", "nobody", "550 a"}, "--provider"},
		{"lines and a reply", []string{"--ndjson", "550 a"}, "--ndjson"},
		{"empty input", nil, "no code"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, out, errOut := runExplain(t, strings.NewReader(""), tt.args...)
			if code != exitUsage || out != "" || !strings.Contains(errOut, tt.want) {
				t.Errorf("explain %q = exit code %d, %q, %q on standard error, want %d and one that names %s", tt.args, code, out, errOut, exitUsage, tt.want)
			}
		})
	}
}

func TestExplainLines(t *testing.T) {
	tests := []struct {
		name, in, out, err string
		code               int
	}{
		{
			name: "in order, ids of any kind handed back",
			in: `{"id":"a","stage":"rcpt","code":550,"enhanced":"5.1.1","text":"User unknown"}
{"id":7,"stage":"connect","code":554,"text":"Client host [192.0.2.1] blocked using zen.spamhaus.org"}

{"stage":"unknown","code":550,"text":"5.1.1 <b> & co: no such user"}
`,
			out: `{"id":"a","class":"no_such_mailbox","scope":"mailbox","rule":"unknown-user"}
{"id":7,"class":"source_blocked","scope":"source","rule":"block-list"}
{"id":null,"class":"no_such_mailbox","scope":"mailbox","rule":"unknown-user"}
`,
		},
		{
			name: "mail hosts, as text and as a list",
			in: `{"id":1,"mx":"aspmx.l.google.com","code":450,"text":"receiving mail at a rate"}
{"id":2,"mx":["aspmx.l.google.com.","alt1.aspmx.l.google.com"],"code":450,"text":"receiving mail at a rate"}
{"id":3,"provider":"nobody","code":250,"text":"OK"}`,
			out: `{"id":1,"class":"rate_limited","scope":"mailbox","rule":"google-mailbox-busy"}
{"id":2,"class":"rate_limited","scope":"mailbox","rule":"google-mailbox-busy"}
{"id":3,"class":"accepted","scope":"mailbox","rule":"accepted"}
`,
		},
		{
			name: "bad lines are told, the others answered",
			in: `nonsense
{"id":"x","stage":"vrfy","code":550,"text":"a"}
{"id":"y","text":"no code at all"}
{"id":"z","code":"550","text":"a"}
{"id":"w","mx":7,"code":550,"text":"a"}
` + `{"id":"long","code":550,"text":"` + strings.Repeat("x", maxReply) + `"}
{"id":"ok","code":250,"text":"OK"}
`,
			out:  `{"id":"ok","class":"accepted","scope":"mailbox","rule":"accepted"}` + "\n",
			err:  `line 1: | line 2 (id "x"): stage | line 3 (id "y"): code | line 4 (id "z") | line 5 (id "w") | line 6: longer`,
			code: exitFailure,
		},
		{name: "nothing", in: "", out: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code, out, errOut := runExplain(t, strings.NewReader(tt.in), "--ndjson")
			if code != tt.code || out != tt.out {
				t.Errorf("explain --ndjson = exit code %d,\n%swant %d,\n%s", code, out, tt.code, tt.out)
			}
			for w := range strings.SplitSeq(tt.err, " | ") {
				if !strings.Contains(errOut, w) {
					t.Errorf("explain --ndjson told\n%swant %q in it", errOut, w)
				}
			}
			if tt.err == "" && errOut != "" {
				t.Errorf("explain --ndjson told %q, want nothing", errOut)
			}
		})
	}
}

// TestExplainLinesStream: an answer is there before the next question is asked.
func TestExplainLinesStream(t *testing.T) {
	inR, inW := io.Pipe()
	outR, outW := io.Pipe()
	done := make(chan int, 1)
	go func() {
		code := Main([]string{"explain", "--ndjson"}, inR, outW, io.Discard)
		outW.Close()
		done <- code
	}()
	for range 3 {
		if _, err := io.WriteString(inW, `{"id":1,"code":550,"text":"No such user"}`+"\n"); err != nil {
			t.Fatal(err)
		}
		buf := make([]byte, 200)
		n, err := outR.Read(buf)
		if err != nil || !bytes.Contains(buf[:n], []byte("no_such_mailbox")) {
			t.Fatalf("after one line: read %q, %v, want its answer", buf[:n], err)
		}
	}
	inW.Close()
	if code := <-done; code != exitOK {
		t.Errorf("exit code %d, want 0", code)
	}
}
