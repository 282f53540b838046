package apitype

import "time"

// An Egress is the reply of GET /v1/egress: who asks, where, what is left to ask, and who has refused us.
// Times that are not known, and what nothing limits, are null.
type Egress struct {
	Sessions    EgressSessions   `json:"sessions"`
	MaxSessions *int             `json:"max_sessions"`
	Sender      EgressSender     `json:"sender"`
	PausedUntil *time.Time       `json:"paused_until"` // Nothing is dialled until then: this host's network seems to be down.
	Sources     []EgressSource   `json:"sources"`
	Sites       []EgressSite     `json:"sites"`
	SitesLeft   int              `json:"sites_left_out"`
	Providers   []EgressProvider `json:"providers"`
	Outages     []EgressOutage   `json:"outages"`
	Refusals    []EgressRefusal  `json:"refusals"` // The last ones, the newest first.
}

// An EgressSender is how receivers take the reverse-path of all questions.
type EgressSender struct {
	Domain    string         `json:"domain"`
	State     string         `json:"state"`      // closed, open (receivers that have nothing to do with each other refuse it: nothing is asked), testing.
	OpenUntil *time.Time     `json:"open_until"` // When it is tried again.
	Refusal   *EgressRefusal `json:"refusal"`    // Why it is not closed.
}

// EgressSessions are sessions by what they do.
type EgressSessions struct {
	Open int `json:"open"`
	Busy int `json:"busy"`
	Idle int `json:"idle"`
}

// An EgressSource is one source.
type EgressSource struct {
	Name       string     `json:"name"`
	EHLO       string     `json:"ehlo"`
	IPv4       *string    `json:"ipv4"`
	IPv6       *string    `json:"ipv6"`
	PublicIPv4 *string    `json:"public_ipv4"`
	PublicIPv6 *string    `json:"public_ipv6"`
	Proxied    bool       `json:"proxied"`
	Weight     int        `json:"weight"`
	State      string     `json:"state"` // fit, suspended, drained, unfit or gone.
	Why        *string    `json:"why"`
	Until      *time.Time `json:"until"`
	Sessions   int        `json:"sessions"`
	Sites      int        `json:"sites"`
	ProbesLeft *int       `json:"probes_left_today"` // By its warm-up; null if nothing limits that.
	DayEnds    *time.Time `json:"day_ends"`
}

// An EgressSite is one set of mail hosts.
type EgressSite struct {
	Hosts    []string        `json:"hosts"`
	Domain   *string         `json:"domain"` // The only one that is asked about here, because a rule names it.
	Provider *string         `json:"provider"`
	Learned  EgressLearned   `json:"learned"`
	Batch    int             `json:"recipients_per_transaction"` // Just now.
	Budgets  []EgressBudget  `json:"budgets"`
	Paths    []EgressPath    `json:"paths"`
	Limits   EgressSiteLimit `json:"limits"`
}

// An EgressSiteLimit is what holds for a site; null is lifted.
type EgressSiteLimit struct {
	Sessions                 *int     `json:"sessions"`
	SessionsPerHour          *int     `json:"sessions_per_hour"`
	RecipientsPerTransaction *int     `json:"recipients_per_transaction"`
	TransactionsPerSession   *int     `json:"transactions_per_session"`
	RefusalsPerSession       *int     `json:"refusals_per_session"`
	RefusalsPerHour          *int     `json:"refusals_per_hour"`
	ControlsPerHour          *int     `json:"controls_per_hour"`
	RefusalRatio             *float64 `json:"refusal_ratio"`
	ProbesPerMinute          *float64 `json:"probes_per_minute"`
}

// EgressLearned is what a site has shown that it takes; null is not known.
type EgressLearned struct {
	RecipientsPerTransaction *int       `json:"recipients_per_transaction"`
	TransactionsPerSession   *int       `json:"transactions_per_session"`
	RefusalsPerSession       *int       `json:"refusals_per_session"`
	IdleMS                   *int64     `json:"idle_ms"`
	SessionAgeMS             *int64     `json:"session_age_ms"`
	BrokenPipelining         []string   `json:"broken_pipelining"` // Hosts.
	BrokenTLS                []string   `json:"broken_tls"`        // Hosts.
	At                       *time.Time `json:"at"`
}

// An EgressBudget is what one network prefix has spent within the last hour.
type EgressBudget struct {
	Prefix   *string         `json:"prefix"` // null where the kernel chooses the address.
	Refusals EgressAllowance `json:"refusals"`
	Controls EgressAllowance `json:"controls"`
}

// An EgressAllowance is one budget of refusals.
type EgressAllowance struct {
	Limit   *int       `json:"limit"` // null is lifted.
	Spent   int        `json:"spent"`
	Held    int        `json:"held"` // Reserved by questions under way.
	Left    *int       `json:"left"`
	RoomAt  *time.Time `json:"room_at"`    // When there is room for one more; null if there is.
	Refills *time.Time `json:"refills_at"` // When all of it is there again; null if it is.
}

// An EgressPath is a source at a site.
type EgressPath struct {
	Source          string         `json:"source"`
	State           string         `json:"state"` // closed, slow (one probe a minute), open (nothing is asked), testing.
	OpenUntil       *time.Time     `json:"open_until"`
	Refusal         *EgressRefusal `json:"refusal"` // Why it is not closed.
	Sessions        EgressSessions `json:"sessions"`
	SessionsAllowed *int           `json:"sessions_allowed"`
	SessionsHour    int            `json:"sessions_last_hour"`
	Waiting         int            `json:"waiting"`
	ProbesPerMinute *float64       `json:"probes_per_minute"`
	DeadShare       float64        `json:"dead_share"` // Of the last sample probes.
	Sample          int            `json:"sample"`
	NextProbe       *time.Time     `json:"next_probe_at"` // null if one may go now.
	NextDial        *time.Time     `json:"next_dial_at"`  // null if one may go now.
}

// An EgressProvider is a provider across its sites.
type EgressProvider struct {
	ID        string         `json:"id"`
	Sessions  int            `json:"sessions"`
	Budgets   []EgressBudget `json:"budgets"`
	NextProbe *time.Time     `json:"next_probe_at"`
	SlowUntil *time.Time     `json:"slow_until"` // It has told several sources that they are too fast: half the rate for all.
}

// An EgressOutage is an address of a mail host that several sources could not connect to, so that none tries it for a while.
type EgressOutage struct {
	Host  string     `json:"host"`
	IP    string     `json:"ip"`
	Until *time.Time `json:"until"` // null if the next question shows whether it is over.
}

// An EgressRefusal is a receiver's word about us.
type EgressRefusal struct {
	At       time.Time  `json:"at"`
	Source   string     `json:"source"`
	Site     string     `json:"site"`
	Provider *string    `json:"provider"`
	Host     string     `json:"host"`
	Stage    string     `json:"stage"`
	Text     string     `json:"text"` // The reply, or what went wrong.
	Class    *string    `json:"class"`
	Scope    *string    `json:"scope"`
	Until    *time.Time `json:"until"`
}
