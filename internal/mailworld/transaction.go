package mailworld

import (
	"strings"
	"time"
)

// A transaction is what MAIL has begun.
type transaction struct {
	open     bool
	sender   string
	utf8     bool
	refused  bool // MAIL was refused.
	path     string
	domain   string // Of the first recipient.
	accepted int
	asked    int
}

// mail answers MAIL.
func (s *session) mail(c command) bool {
	path, params, err := parsePath(c.arg, "FROM")
	if err != nil {
		return s.say(c.verb, s.b.texts.syntax)
	}
	s.counts.mails++
	s.rec.began()
	if s.tx.open {
		return s.say(c.verb, s.b.texts.nested)
	}
	s.tx = transaction{sender: path}
	r := s.mailReply(path, params)
	if r.positive() {
		s.tx.open = true
	} else {
		s.tx.refused = true
		s.refusal = edge{state: queued}
	}
	return s.say(c.verb, r)
}

// mailReply decides about a sender.
func (s *session) mailReply(path, params string) Reply {
	if l := s.b.Limits.Transactions; l.passed(s.counts.mails) {
		return l.Reply.or(Say(421, "4.7.0 {host} Error: too many messages in this session"))
	}
	if !s.hello {
		return Say(503, "5.5.1 Error: send HELO/EHLO first")
	}
	if s.b.TLS.Required && !s.tls {
		return Say(530, "5.7.0 Must issue a STARTTLS command first")
	}
	if r := s.blocked(AtMAIL); !r.isZero() {
		return r
	}
	for p := range strings.FieldsSeq(params) {
		if !s.takesParameter(p) {
			return Say(555, "5.5.4 Unsupported option: "+p)
		}
	}
	if !s.tx.utf8 && !ascii(path) {
		return Say(553, "5.6.7 <{sender}>: SMTPUTF8 is required")
	}
	return s.b.senderReply(path).or(s.b.replyTo("MAIL", s.b.texts.mail))
}

// takesParameter reports whether MAIL may have this parameter.
func (s *session) takesParameter(p string) bool {
	name, _, _ := strings.Cut(p, "=")
	switch upper(name) {
	case "SMTPUTF8":
		s.tx.utf8 = s.b.SMTPUTF8 && s.esmtp
		if !s.tx.utf8 {
			s.violate("MAIL with SMTPUTF8, which was not offered")
		}
		return s.tx.utf8
	case "SIZE", "BODY", "RET", "ENVID":
		return s.esmtp
	default:
		return false
	}
}

// senderReply looks a reverse-path up in Senders.
func (b *behaviour) senderReply(path string) Reply {
	if len(b.Senders) == 0 {
		return Reply{}
	}
	path = strings.ToLower(path)
	_, domain := splitPath(path)
	for _, key := range [...]string{path, "@" + domain, "*"} {
		if r, ok := b.Senders[key]; ok {
			return r
		}
	}
	return Reply{}
}

// rcpt answers RCPT.
func (s *session) rcpt(c command, seen int64) bool {
	s.rec.asked()
	s.counts.recipients++
	path, _, err := parsePath(c.arg, "TO")
	if err != nil || path == "" {
		return s.say(c.verb, s.b.texts.syntax)
	}
	s.tx.path = path
	_, domain := splitPath(path)
	domain = strings.ToLower(domain)
	s.w.rec.tallyDomain(domain)
	if !s.tx.open {
		if s.tx.refused && s.refusal.known(seen) {
			s.violate("RCPT after a refused MAIL: %s", path)
		}
		return s.say(c.verb, s.b.NoSender.or(s.b.texts.noSender))
	}
	s.sameDomain(domain)
	s.tx.asked++
	r := s.rcptReply(path, domain)
	if r.positive() {
		s.tx.accepted++
	} else {
		s.counts.failed++
	}
	return s.say(c.verb, r)
}

// rcptReply decides about a recipient: what concerns the client and the session comes first, the mailbox last.
func (s *session) rcptReply(path, domain string) Reply {
	now := s.current.At
	ip := s.source.Addr()
	r := s.sessionReply(domain).
		or(s.blocked(AtRCPT)).
		or(s.h.clients.recipient(ip, s.b.Limits.RecipientRate, now))
	if !r.isZero() {
		return r
	}
	harvest := &s.b.Harvest
	r = s.mailboxReply(path, domain, now)
	if s.h.clients.named(ip, harvest, now, r.unknown()) {
		return harvest.reply(s.b.texts.rcpt)
	}
	return r
}

// unknown reports whether a harvest defence takes r for an unknown recipient: 550 to 553.
func (r Reply) unknown() bool { return r.Code >= 550 && r.Code <= 553 }

// sessionReply is the objection of a limit of the session or transaction.
func (s *session) sessionReply(domain string) Reply {
	l := &s.b.Limits
	switch {
	case l.SessionRecipients.passed(s.counts.recipients):
		return l.SessionRecipients.Reply.or(Say(421, "4.5.3 {host} Error: too many recipients in this session"))
	case l.FailedRecipients.passed(s.counts.failed + 1):
		return l.FailedRecipients.Reply.or(Say(421, "{host}: too many failed recipients, connection dropped"))
	case l.OneDomain && s.tx.domain != domain:
		return Say(451, "4.3.0 Multiple destination domains per transaction is unsupported. Please try again.")
	case l.Recipients.passed(s.tx.asked):
		return l.Recipients.Reply.or(s.b.texts.tooMany)
	}
	return Reply{}
}

// mailboxReply is what the host and the domain say about a recipient.
func (s *session) mailboxReply(path, domain string, now time.Time) Reply {
	if !s.tx.utf8 && !ascii(path) {
		return Say(553, "5.6.7 Address requires SMTPUTF8")
	}
	r := s.replyByHost(path)
	d, known := s.w.zone.lookup(canonical(domain))
	if r.isZero() && (!known || !s.b.Relay && !s.w.zone.serves(s.h, d)) {
		return s.b.NoRelay.or(s.b.texts.noRelay)
	}
	grey := max(s.b.Greylist, r.Greylist)
	if r.isZero() {
		r = d.reply(path, s.b)
		grey = max(grey, d.spec.Greylist, r.Greylist)
	}
	if grey > 0 && s.w.rec.tooEarly(s.greyKey(path), grey, now) {
		return s.b.Greylisted.or(greylisted(grey))
	}
	return r
}

func (s *session) replyByHost(path string) Reply {
	if s.b.Host.Rcpt != nil {
		if r := s.b.Host.Rcpt(path); !r.isZero() {
			return r
		}
	}
	return s.b.replyTo("RCPT", Reply{})
}
