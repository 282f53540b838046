package apitype

import "time"

// The values of [FeedbackReport.Outcome].
const (
	OutcomeDelivered = "delivered" // It arrived: somebody acted on it, or no bounce came for as long as they take.
	OutcomeBounced   = "bounced"   // It was given up.
	OutcomeDelayed   = "delayed"   // It is still tried.
)

// A FeedbackReport is what became of one message to one address: the body of POST /v1/feedback, or a line of it.
type FeedbackReport struct {
	Email    string    `json:"email"`
	Outcome  string    `json:"outcome"`            // delivered, bounced or delayed.
	Code     int       `json:"code,omitempty"`     // Of the bounce, if it is not in Text.
	Enhanced string    `json:"enhanced,omitempty"` // Its enhanced status code, if that is not in Text.
	Text     string    `json:"text,omitempty"`     // The bounce as the server said it, such as "550 5.1.1 User unknown".
	At       time.Time `json:"at,omitzero"`        // When it happened; zero is now. It tells a report from its repetition.
}

// A FeedbackReply says what came of reports.
type FeedbackReply struct {
	Reports int64           `json:"reports"` // Taken.
	Faulty  int64           `json:"faulty"`  // That make no sense, and changed nothing.
	Counted int64           `json:"counted"` // That show whether an answer "deliverable" was right.
	Exposed int64           `json:"exposed"` // That show that a domain accepts recipients that do not exist.
	Effects FeedbackEffects `json:"effects"`

	Results []FeedbackResult `json:"results"` // Of the first 100 reports, in their order.
	Faults  []FeedbackFault  `json:"faults"`  // The first 20.
}

// FeedbackEffects count reports by what they did to what is remembered of their address.
type FeedbackEffects struct {
	None       int64 `json:"none"`       // Nothing: they say nothing of the address.
	Remembered int64 `json:"remembered"` // Nothing was known of it.
	Confirmed  int64 `json:"confirmed"`  // It was known.
	Corrected  int64 `json:"corrected"`  // The opposite was known.
	Contested  int64 `json:"contested"`  // Another application has reported the opposite: neither is believed.
	Duplicate  int64 `json:"duplicate"`  // It was reported before.
	Outdated   int64 `json:"outdated"`   // Something newer is known, or it is too old.
}

// A FeedbackResult is what one report came to.
type FeedbackResult struct {
	Email    string  `json:"email"`    // Normalized.
	Says     string  `json:"says"`     // delivered, refused, full, temporary, blocked, elsewhere, unclear.
	Effect   string  `json:"effect"`   // One of the names of FeedbackEffects.
	Reason   *string `json:"reason"`   // What is remembered of the address now; null if the report changed nothing.
	Counted  bool    `json:"counted"`  // It shows whether the answer "deliverable" was right.
	Exposed  bool    `json:"exposed"`  // It shows that the domain accepts recipients that do not exist.
	Class    *string `json:"class"`    // What the bounce was read as; null if it holds no reply.
	Rule     *string `json:"rule"`     // The rule that read it.
	Provider *string `json:"provider"` // The domain's provider; null if none is known.
}

// A FeedbackFault is a report that makes no sense.
type FeedbackFault struct {
	Line    int64  `json:"line"` // From 1; of a notification, its recipient.
	Message string `json:"message"`
}

// Feedback is the reply of GET /v1/feedback: what was reported, and how good the answers were by it.
type Feedback struct {
	WindowS   int64               `json:"window_s"` // How far back Total and Providers go, in seconds.
	Total     FeedbackPrecision   `json:"total"`
	Providers []FeedbackPrecision `json:"providers"` // Those of which something was reported.
	Apps      []FeedbackApp       `json:"apps"`      // Those that have reported, ever.
}

// A FeedbackPrecision is what became of messages to addresses that had been answered deliverable.
type FeedbackPrecision struct {
	Provider  *string  `json:"provider"` // null in the total, and for mail hosts that belong to no known provider.
	Delivered uint64   `json:"delivered"`
	Bounced   uint64   `json:"bounced"`   // For good, and for what the mailbox is.
	Precision *float64 `json:"precision"` // Delivered by both; null if nothing was counted.
}

// A FeedbackApp is what one application has reported.
type FeedbackApp struct {
	Name      string    `json:"name"`
	Reports   uint64    `json:"reports"`
	Delivered uint64    `json:"delivered"`
	Refused   uint64    `json:"refused"` // Bounces for good, for what the mailbox is.
	Other     uint64    `json:"other"`   // Bounces that say something else, or nothing.
	Corrected uint64    `json:"corrected"`
	Contested uint64    `json:"contested"`
	Exposed   uint64    `json:"exposed"`
	LastAt    time.Time `json:"last_at"`
}

// Of is the count of an effect by its name; nil if there is none of that name.
func (e *FeedbackEffects) Of(effect string) *int64 {
	switch effect {
	case "none":
		return &e.None
	case "remembered":
		return &e.Remembered
	case "confirmed":
		return &e.Confirmed
	case "corrected":
		return &e.Corrected
	case "contested":
		return &e.Contested
	case "duplicate":
		return &e.Duplicate
	case "outdated":
		return &e.Outdated
	default:
		return nil
	}
}
