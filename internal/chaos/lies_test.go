package chaos

import "github.com/verimails/verimaild/internal/mailworld"

// A lie is a refusal that speaks of us, or of nobody in particular, where one that speaks of the recipient is expected. Whom
// it is said about can be known from its words, so it must never make a mailbox look dead.
type lie struct {
	at    mailworld.Stage
	reply mailworld.Reply
}

// lies are those that whole hosts live by, each one. The first ones are what real servers say.
func lies() []lie {
	rcpt := func(code int, text string) lie { return lie{mailworld.AtRCPT, mailworld.Say(code, text)} }
	return []lie{
		rcpt(554, "5.7.1 Service unavailable; Client host [{ip}] blocked using zen.example.test; https://www.example.test/query/ip/{ip}"),
		rcpt(550, "5.7.1 <{rcpt}>: Recipient address rejected: your host [{ip}] has a poor reputation"),
		rcpt(550, "5.7.1 Your IP address {ip} is on our block list"),
		rcpt(550, "JunkMail rejected - {helo} [{ip}] is in an RBL, see http://rbl.example.test/{ip}"),
		rcpt(550, "5.7.25 [{ip}] The IP address sending this message does not have a PTR record"),
		rcpt(450, "4.7.1 Client host rejected: cannot find your hostname, [{ip}]"),
		rcpt(550, "5.7.1 <{helo}>: Helo command rejected: Host not found"),
		rcpt(550, "5.1.8 <{sender}>: Sender address rejected: Domain not found"),
		rcpt(550, "Verification failed for <{sender}>\nThe mail server could not deliver mail to {sender}.  The account or domain may not exist, "+
			"they may be blacklisted, or missing the proper dns entries.\nSender verify failed"),
		rcpt(550, "5.7.23 The message was rejected because of Sender Policy Framework violation"),
		rcpt(550, "5.7.1 Too many invalid recipients from [{ip}], try again in an hour"),
		rcpt(452, "4.5.3 Too many recipients from [{ip}]"),
		rcpt(451, "4.7.1 Greylisting in action, please come back later"),
		rcpt(554, "5.7.1 <{rcpt}>: Relay access denied"),
		rcpt(530, "5.7.0 Authentication required"),
		rcpt(503, "5.5.1 Error: need MAIL command"),
		rcpt(421, "4.7.0 [{ip}] Our system has detected an unusual rate of unknown users"),
		{mailworld.AtMAIL, mailworld.Say(550, "5.1.1 <{sender}>: user unknown")},
		{mailworld.AtMAIL, mailworld.Say(553, "5.1.8 <{sender}>: no such user here")},
		{mailworld.AtEHLO, mailworld.Say(550, "5.1.1 {helo} unknown user")},
		{mailworld.AtConnect, mailworld.Say(554, "5.1.1 user unknown at [{ip}]")},
		{mailworld.AtConnect, mailworld.Say(550, "5.7.1 [{ip}]: no such user may connect")},
	}
}
