package reply

import (
	"time"
)

// A Rule reads the replies that meet all of its conditions as one class. An empty condition is met by every
// reply. The keys are those of the rule files and of the operator's configuration.
type Rule struct {
	Name string `yaml:"name" mapstructure:"name"` // Unique; lower case, digits, dashes.

	// Conditions. Alternatives in a string are separated by spaces.
	Stage    string   `yaml:"stage" mapstructure:"stage"`       // Such as "rcpt" or "connect ehlo"; empty is every stage that the class allows.
	Code     string   `yaml:"code" mapstructure:"code"`         // Such as "550 554", "5yz", "45z"; y and z stand for any digit. Empty is 4yz and 5yz, for a dead mailbox 5yz.
	Enhanced string   `yaml:"enhanced" mapstructure:"enhanced"` // Such as "5.1.1 x.7.z"; x, y and z stand for any number; "none" for a reply without one.
	Provider string   `yaml:"provider" mapstructure:"provider"` // Provider ids.
	Words    []string `yaml:"words" mapstructure:"words"`       // Phrases that must all be there.
	Any      []string `yaml:"any" mapstructure:"any"`           // Phrases of which one must be there.
	Not      []string `yaml:"not" mapstructure:"not"`           // Phrases of which none may be there.

	// The reading.
	Class  Class         `yaml:"class" mapstructure:"class"`
	Scope  Scope         `yaml:"scope" mapstructure:"scope"` // Empty is the usual scope of the class.
	Detail Detail        `yaml:"detail" mapstructure:"detail"`
	Retry  time.Duration `yaml:"retry" mapstructure:"retry"` // When asking again may help, if the reply does not say; at most 24 h.

	Seen string `yaml:"seen" mapstructure:"seen"` // Where such replies come from.
}

// maxRetry bounds every retry hint.
const maxRetry = 24 * time.Hour

// usualScope is the scope of a class where a rule names none.
var usualScope = map[Class]Scope{
	Accepted: ScopeMailbox, NoSuchMailbox: ScopeMailbox, MailboxDisabled: ScopeMailbox, MailboxFull: ScopeMailbox,
	DomainNotHere: ScopeDomain, Greylisted: ScopeSourceSite, RateLimited: ScopeSourceSite, TemporaryFailure: ScopeSite,
	SourceBlocked: ScopeSourceSite, SenderRefused: ScopeSender, PolicyRefused: ScopeSourceSite, AddressSyntax: ScopeMailbox,
	CannotVerify: ScopeMailbox, Other: ScopeSite,
}

// knownScopes and knownDetails are what a rule may say.
var (
	knownScopes = map[Scope]bool{
		ScopeMailbox: true, ScopeDomain: true, ScopeSender: true, ScopeSession: true, ScopeRoute: true,
		ScopeSourceSite: true, ScopeSource: true, ScopeSite: true,
	}
	knownDetails = map[Detail]bool{
		"": true, DetailNoPTR: true, DetailHarvest: true, DetailHELO: true, DetailMoved: true, DetailTooManyRcpts: true,
		DetailMixedDomains: true, DetailTLSRequired: true, DetailIdle: true, DetailVerifying: true, DetailNoMail: true,
		DetailBlockListed: true, DetailTooManySession: true, DetailReversePath: true,
	}
)

// dead reports whether c says that mail to the mailbox can't arrive.
func (c Class) dead() bool { return c == NoSuchMailbox || c == MailboxDisabled }

// aboutMailbox reports whether c can only be said of a recipient, so only at RCPT.
func (c Class) aboutMailbox() bool {
	switch c {
	case NoSuchMailbox, MailboxDisabled, MailboxFull, AddressSyntax, CannotVerify:
		return true
	}
	return false
}
