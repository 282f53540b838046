// Package provider knows mail providers by the names of their mail hosts, and what each of them tolerates.
// What it knows is data: providers.yaml, one row a provider, with the source of each row and how sure it is.
package provider

// A Mode says what asking a provider's servers about a mailbox is good for.
type Mode string

// The modes. The zero Mode is ModeProbe.
const (
	ModeProbe    Mode = "probe"     // Its answers to RCPT mean what they say.
	ModeWeak     Mode = "weak"      // An acceptance proves nothing; a refusal does.
	ModeNoSignal Mode = "no_signal" // It accepts every recipient; asking teaches nothing.
	ModeSkip     Mode = "skip"      // Its policy forbids such questions.
)

// A ControlCost says what a made-up recipient costs the source that asks about it.
type ControlCost string

// The costs. The zero ControlCost is ControlsNormal.
const (
	ControlsNormal ControlCost = "normal"
	ControlsFree   ControlCost = "free"  // A busy shared host, where one more refusal is noise.
	ControlsNever  ControlCost = "never" // It is known not to accept everything, so there is nothing to find out.
)

// A Phase is the step of the dialogue in which a provider refuses an unknown recipient.
type Phase string

// The phases. The zero Phase is not known.
const (
	PhaseRCPT   Phase = "rcpt"
	PhaseData   Phase = "data"   // After the message, so that a question without a message learns nothing.
	PhaseMixed  Phase = "mixed"  // Some of its domains at RCPT, some later or not at all.
	PhaseBounce Phase = "bounce" // By a message, later.
)

// Confidence says how good the source of a row is.
type Confidence string

// The values of Confidence.
const (
	ConfidenceHigh   Confidence = "high"   // The provider's or product's own documentation, or many replies.
	ConfidenceMedium Confidence = "medium" // Other senders' shipped configuration, or some replies.
	ConfidenceLow    Confidence = "low"    // A few replies, or a report by others.
)

// Quirks are habits that change what is asked, or what an answer is worth.
type Quirks struct {
	OneRecipient bool // A second recipient in a transaction is put off or refused.
	SilentAccept bool // Past its limit of unknown recipients it accepts everything.
}

// A Provider is one row of the table. Treat it as read-only: the table shares it.
type Provider struct {
	ID             string   // Such as google; lower case, digits and underscores.
	Name           string   // For people.
	MX             []string // Patterns of its mail hosts; see Match.
	Mode           Mode
	Note           string // The observation behind Mode, with its date.
	Controls       ControlCost
	Consumer       []string // Domains of its own that are known not to accept every recipient.
	Limits         Limits   // Per source and site.
	ProviderLimits Limits   // Across all sites; for RefusalsPerHour also across the sources of one network prefix.
	Refuses        Phase    // Where it refuses an unknown recipient.
	Quirks         Quirks   // Habits.
	Source         string   // Where the row comes from.
	Confidence     Confidence
}
