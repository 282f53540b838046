package mailworld

import (
	"slices"
	"strings"
	"time"
)

const (
	// longestSlow bounds the delay that slow+… can ask for.
	longestSlow = time.Minute
	// longestGreylist bounds the delay that greylisted+… can ask for.
	longestGreylist = time.Hour
)

// A sandboxMailbox is a name at sandbox.test and the reply to it.
type sandboxMailbox struct {
	SandboxName
	reply Reply
}

// sandboxMailboxes are the names at sandbox.test that have a meaning.
func sandboxMailboxes() []sandboxMailbox {
	ok := Say(250, "2.1.5 Ok")
	row := func(local, reason, meaning string, r Reply) sandboxMailbox {
		return sandboxMailbox{SandboxName{Address: local + "@" + sandboxDomain, Meaning: meaning, Reason: reason}, r}
	}
	later := func(m sandboxMailbox, reason string) sandboxMailbox {
		m.Later = reason
		return m
	}
	return []sandboxMailbox{
		row("deliverable", "mailbox_accepted", "Accepted; made-up names are refused.", ok),
		row("ada", "mailbox_accepted", "Accepted, as are other people's names.", ok),
		row("ada+news", "mailbox_accepted", "Accepted: the subaddress of a person.", ok),
		row("slow+3s", "mailbox_accepted", "Accepted after the time in its tag, at most 60s.", ok),
		row("nobody", "mailbox_not_found", "Refused as unknown, as is every name not listed.",
			Say(550, "5.1.1 <{rcpt}>: Recipient address rejected: User unknown in virtual mailbox table")),
		row("full", "mailbox_full", "Refused: over quota.",
			Say(552, "5.2.2 <{rcpt}>: The mailbox is over its quota and cannot take mail now")),
		row("disabled", "mailbox_disabled", "Refused: the account is disabled.",
			Say(550, "5.2.1 <{rcpt}>: The email account that you tried to reach is disabled")),
		row("moved", "mailbox_moved", "Refused: the user has moved.",
			Say(551, "5.1.6 <{rcpt}>: User not local; please try <{local}@elsewhere.test>")),
		row("busy", "mailbox_busy", "Put off, in Gmail's words: the mailbox exists and receives too much now.",
			Say(450, "4.2.1 The user you are trying to contact is receiving mail too quickly.\n"+
				"4.2.1 Please resend your message at a later time. If the user is able to\n"+
				"4.2.1 receive mail at that time, your message will be delivered. For more\n"+
				"4.2.1 information, please visit\n"+
				"4.2.1  https://support.sandbox.test/mail/?p=ReceivingRate - gsmtp")),
		later(row("greylisted", "greylisted", "Put off for 300s from the first attempt, or for the time in its tag (greylisted+10s); then accepted.",
			Reply{Code: 250, Text: "2.1.5 Ok", Greylist: 300 * time.Second}), "mailbox_accepted"),
		row("refused", "recipient_refused", "Refused: the group takes mail from authenticated senders only, in Exchange's words.",
			Say(550, "5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; authentication required; Delivery restriction check failed "+
				"because the sender was not authenticated when sending to this group")),
		row("restricted", "recipient_refused", "Refused: the list takes mail from its members only.",
			Say(550, "5.7.1 <{rcpt}>: Recipient address rejected: this list accepts mail from its members only")),
		row("tempfail", "server_tempfail", "Put off: the server cannot look recipients up.",
			Say(451, "4.3.0 <{rcpt}>: Temporary lookup failure")),
		later(row("persistent", "server_tempfail", "Put off as unknown, whenever it is asked about.",
			Say(450, "4.1.1 <{rcpt}>: Recipient address rejected: User unknown in local recipient table")), "persistent_tempfail"),
		row("cannotverify", "accepted_untested", "Answered 252: the server will not say.",
			Say(252, "2.1.5 Cannot verify the recipient, but will accept the message and attempt delivery")),
		row("info", "role_address", "Accepted: a role, as are admin, sales, support and the like.", ok),
		row("jürgen", "mailbox_accepted", "Accepted: a local-part beyond ASCII, at a host with SMTPUTF8.", ok),
	}
}

// sandboxRecipients decides about NAME@sandbox.test.
func sandboxRecipients() func(path string) Reply {
	ok := Say(250, "2.1.5 Ok")
	people := make(map[string]bool)
	for _, name := range slices.Concat(SandboxPeople(), sandboxRoles()) {
		people[name] = true
	}
	replies := make(map[string]Reply)
	for _, m := range sandboxMailboxes() {
		local, _ := splitPath(m.Address)
		replies[local] = m.reply
	}
	replies["cannot-verify"] = replies["cannotverify"]
	return func(path string) Reply {
		local, _ := splitPath(path)
		local = strings.ToLower(local)
		base, tag, _ := strings.Cut(local, "+")
		switch {
		case base == "slow":
			return ok.After(tagDuration(tag, 3*time.Second, longestSlow))
		case base == "greylisted":
			return Reply{Code: ok.Code, Text: ok.Text, Greylist: tagDuration(tag, 300*time.Second, longestGreylist)}
		case people[base]:
			return ok
		default:
			return replies[local]
		}
	}
}

// tagDuration reads the tag of slow+3s; other is for a tag that is no duration, limit bounds it.
func tagDuration(tag string, other, limit time.Duration) time.Duration {
	d, err := time.ParseDuration(tag)
	if err != nil || d < 0 {
		return other
	}
	return min(d, limit)
}
