package apitype

// An ExplainRequest is the body of POST /v1/explain. Only Text is needed: a reply as a server sends it or as a log shows
// it, with its code, or with the code beside it.
type ExplainRequest struct {
	Text     string `json:"text"`
	Code     int    `json:"code,omitempty"`     // Where Text lacks it.
	Enhanced string `json:"enhanced,omitempty"` // Where Text lacks it.
	Stage    string `json:"stage,omitempty"`    // connect, ehlo, starttls, mail, rcpt, rset or quit. Default "rcpt".
	MX       string `json:"mx,omitempty"`       // The domain's mail hosts, separated by commas; they show the provider.
	Provider string `json:"provider,omitempty"` // The provider's id.
}

// An Explanation is the reply of POST /v1/explain.
type Explanation struct {
	Class    string   `json:"class"`    // What the reply means.
	Scope    string   `json:"scope"`    // Whom it is about,
	Whom     string   `json:"whom"`     // and in words.
	Detail   *string  `json:"detail"`   // What narrows the class; null if nothing does.
	Rule     string   `json:"rule"`     // The name of the rule that decided.
	Seen     string   `json:"seen"`     // Where that rule comes from.
	Because  []string `json:"because"`  // What of the rule's words the reply shows; empty if its codes decided.
	Verdict  string   `json:"verdict"`  // What verimaild would answer,
	Reason   string   `json:"reason"`   // and the reason.
	RetryMS  *int64   `json:"retry_ms"` // When asking again can help, in milliseconds from the reply; null if nobody knows.
	Provider *string  `json:"provider"` // The provider whose rules were used; null if none is known.
	Advice   Advice   `json:"advice"`
}

// An Advice is what an operator can do about a reply.
type Advice struct {
	Who   *string  `json:"who"`   // Who refuses; null if that is not known.
	Check *string  `json:"check"` // Where to see the state of an address; null if there is no such page.
	Fix   []string `json:"fix"`   // What to do, in order.
}
