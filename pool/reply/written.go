package reply

import (
	"fmt"
	"strings"

	"github.com/verimails/verimaild/pool/smtp"
)

// ParseReply reads a reply that was written down: see smtp.ParseReplyText. One that has an enhanced code and no
// reply code gets the plainest code of its class; one that has neither keeps the code 0.
func ParseReply(code int, enhanced, text string) smtp.Reply {
	r := smtp.ParseReplyText(code, enhanced, text)
	if head, rest, ok := strings.Cut(strings.TrimSpace(text), " "); ok && r.Code == 0 && r.Enhanced.Class == 0 {
		if beheaded := smtp.ParseReplyText(0, head, rest); beheaded.Enhanced.Class != 0 {
			r = beheaded
		}
	}
	if r.Code == 0 && r.Enhanced.Class != 0 {
		r.Code = int(r.Enhanced.Class)*100 + 50
	}
	return r
}

// ParseStage reads the name of a stage, in any case. Replies of which nobody kept the stage ("", "unknown") are taken
// for answers to RCPT, and so are answers to DATA, which is never sent; "helo" is EHLO.
func ParseStage(s string) (smtp.Stage, error) {
	s = strings.ToLower(s)
	switch s {
	case "", "unknown", "data":
		return smtp.StageRCPT, nil
	case "helo":
		return smtp.StageEHLO, nil
	}
	for _, stage := range stageNames {
		if smtp.Stage(s) == stage {
			return stage, nil
		}
	}
	return "", fmt.Errorf("%q: want connect, ehlo, starttls, mail, rcpt, rset or quit", s)
}
