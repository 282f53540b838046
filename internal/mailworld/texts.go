package mailworld

// A Style is whose texts a host uses.
type Style string

// The styles. The zero Style is StylePostfix.
const (
	StylePostfix   Style = ""
	StyleExim      Style = "exim"
	StyleExchange  Style = "exchange"
	StyleSendmail  Style = "sendmail"
	StyleOpenSMTPD Style = "opensmtpd"
)

// texts are the replies of a style. Those to single recipients name them, as real servers do.
type texts struct {
	greeting, hello, mail, rcpt, reset, bye Reply
	unknown, noRelay, noSender, nested      Reply
	tooMany, tooManyErrors, idle            Reply
	notImplemented, syntax                  Reply
}

// textsOf returns the texts of a style.
func textsOf(s Style) texts {
	switch s {
	case StyleExim:
		return eximTexts()
	case StyleExchange:
		return exchangeTexts()
	case StyleSendmail:
		return sendmailTexts()
	case StyleOpenSMTPD:
		return openSMTPDTexts()
	default:
		return postfixTexts()
	}
}

func postfixTexts() texts {
	return texts{
		greeting:       Say(220, "{host} ESMTP Postfix"),
		hello:          Say(250, "{host}"),
		mail:           Say(250, "2.1.0 Ok"),
		rcpt:           Say(250, "2.1.5 Ok"),
		reset:          Say(250, "2.0.0 Ok"),
		bye:            Say(221, "2.0.0 Bye"),
		unknown:        Say(550, "5.1.1 <{rcpt}>: Recipient address rejected: User unknown in virtual mailbox table"),
		noRelay:        Say(554, "5.7.1 <{rcpt}>: Relay access denied"),
		noSender:       Say(503, "5.5.1 Error: need MAIL command"),
		nested:         Say(503, "5.5.1 Error: nested MAIL command"),
		tooMany:        Say(452, "4.5.3 Error: too many recipients"),
		tooManyErrors:  Say(421, "4.7.0 {host} Error: too many errors"),
		idle:           Say(421, "4.4.2 {host} Error: timeout exceeded"),
		notImplemented: Say(502, "5.5.2 Error: command not recognized"),
		syntax:         Say(501, "5.1.7 Bad address syntax"),
	}
}

func eximTexts() texts {
	t := postfixTexts()
	t.greeting = Say(220, "{host} ESMTP Exim 4.96")
	t.hello = Say(250, "{host} Hello {helo} [{ip}]")
	t.mail = Say(250, "OK")
	t.rcpt = Say(250, "Accepted")
	t.reset = Say(250, "Reset OK")
	t.bye = Say(221, "{host} closing connection")
	t.unknown = Say(550, "No Such User Here")
	t.noRelay = Say(550, "relay not permitted")
	t.noSender = Say(503, "sender not yet given")
	t.nested = Say(503, "sender already given")
	t.tooMany = Say(452, "too many recipients")
	t.idle = Say(421, "{host}: SMTP command timeout - closing connection")
	t.notImplemented = Say(500, "unrecognized command")
	t.syntax = Say(501, "malformed address")
	return t
}

func exchangeTexts() texts {
	t := postfixTexts()
	t.greeting = Say(220, "{host} Microsoft ESMTP MAIL Service ready")
	t.hello = Say(250, "{host} Hello [{ip}]")
	t.mail = Say(250, "2.1.0 Sender OK")
	t.rcpt = Say(250, "2.1.5 Recipient OK")
	t.reset = Say(250, "2.0.0 Resetting")
	t.bye = Say(221, "2.0.0 Service closing transmission channel")
	t.unknown = Say(550, "5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient {rcpt} not found by SMTP address lookup")
	t.noRelay = Say(550, "5.7.54 SMTP; Unable to relay recipient in non-accepted domain")
	t.noSender = Say(503, "5.5.2 Need mail command")
	t.nested = Say(503, "5.5.2 Sender already specified")
	t.tooMany = Say(452, "4.5.3 Too many recipients")
	t.idle = Say(421, "4.4.1 Connection timed out")
	t.notImplemented = Say(500, "5.3.3 Unrecognized command")
	return t
}

func sendmailTexts() texts {
	t := postfixTexts()
	t.greeting = Say(220, "{host} ESMTP Sendmail 8.17.1.9/8.17.1.9")
	t.hello = Say(250, "{host} Hello [{ip}], pleased to meet you")
	t.mail = Say(250, "2.1.0 <{sender}>... Sender ok")
	t.rcpt = Say(250, "2.1.5 <{rcpt}>... Recipient ok")
	t.reset = Say(250, "2.0.0 Reset state")
	t.bye = Say(221, "2.0.0 {host} closing connection")
	t.unknown = Say(550, "5.1.1 <{rcpt}>... User unknown")
	t.noRelay = Say(550, "5.7.1 <{rcpt}>... Relaying denied")
	t.noSender = Say(503, "5.0.0 Need MAIL before RCPT")
	t.nested = Say(503, "5.5.0 Sender already specified")
	t.tooMany = Say(452, "4.5.3 Too many recipients")
	t.idle = Say(421, "4.4.1 {host} Lost input channel from [{ip}]")
	t.notImplemented = Say(500, "5.5.1 Command unrecognized")
	return t
}

func openSMTPDTexts() texts {
	t := postfixTexts()
	t.greeting = Say(220, "{host} ESMTP OpenSMTPD")
	t.hello = Say(250, "{host} Hello {helo} [{ip}], pleased to meet you")
	t.rcpt = Say(250, "2.1.5 Destination address valid: Recipient ok")
	t.unknown = Say(550, "Invalid recipient: <{rcpt}>")
	t.noRelay = Say(550, "Invalid recipient: <{rcpt}>")
	t.notImplemented = Say(500, "5.5.1 Invalid command: Command unrecognized")
	return t
}

// unknownVerb answers what the receiver has no reply of its own for; the codes follow RFC 5321 §4.2.4.
func (t *texts) unknownVerb(verb string) Reply {
	switch verb {
	case "NOOP":
		return t.reset
	case "VRFY":
		return Say(252, "2.0.0 Try RCPT to attempt delivery")
	default:
		return t.notImplemented
	}
}
