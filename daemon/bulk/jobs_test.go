package bulk

import (
	"slices"
	"testing"

	"github.com/verimails/verimaild/verify"
	"github.com/verimails/verimaild/verify/verdict"
)

func TestJob(t *testing.T) {
	s := &script{reply: func(req verify.Request, _ int) (*verdict.Answer, error) {
		if req.Email == "dead@b.test" {
			return answer(req.Email, verdict.MailboxNotFound), nil
		}
		return answer(req.Email, verdict.MailboxAccepted), nil
	}}
	r := newRig(t, s)
	job := r.create(Spec{App: "crm", Name: "list.txt"}, "ada@a.test\ndead@b.test\nada@A.test\nnot an address\nbob@b.test\nada@a.test\n")
	if job.State != Preparing && job.State != Running || job.App != "crm" || job.ID == "" {
		t.Errorf("Create() = %+v, want a job that runs", job)
	}
	i := r.finished(job.ID)
	if i.Rows != 6 || i.Addresses != 4 || i.Counts.Done != 6 || i.Counts.Answers != 4 || i.Left() != 0 {
		t.Errorf("at its end: %+v, want 6 rows and 4 addresses, all done", i)
	}
	want := []string{
		"ada@a.test mailbox_accepted", "dead@b.test mailbox_not_found", "ada@A.test mailbox_accepted",
		"not an address invalid_syntax", "bob@b.test mailbox_accepted", "ada@a.test mailbox_accepted",
	}
	if got := r.reasons(job.ID); !slices.Equal(got, want) {
		t.Errorf("results = %q, want %q", got, want)
	}
	if got := s.snapshot(); len(got) != 4 {
		t.Errorf("asked about %q, want each address once", got)
	}
	if w := i.Summary.Worst; len(w) != 1 || w[0] != (DomainCount{"b.test", 2, 1}) {
		t.Errorf("worst domains = %+v, want b.test with 1 of 2", w)
	}
}
