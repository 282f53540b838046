// Package doctor looks at everything that a daemon on this host depends on, with a daemon that runs or without one, and
// says of each thing whether it is in order, and what to do if it is not.
//
// It changes nothing: it opens no store, makes no directory, and connects to mail servers as the daemon's own
// preflight does.
package doctor

import (
	"context"
	"time"

	"github.com/verimails/verimaild/client/apitype"
	"github.com/verimails/verimaild/config"
)

// A State is what came of a check.
type State string

// The states. Warn and Fail mean that something is wrong.
const (
	OK      State = "ok"
	Note    State = "note"    // Good to know; nothing is wrong.
	Unknown State = "unknown" // It could not be found out.
	Warn    State = "warn"    // It works, and some of what is asked will not be answered for it.
	Fail    State = "fail"    // It does not work.
)

// The areas, in the order in which they are looked at.
const (
	AreaConfiguration = "configuration"
	AreaDaemon        = "daemon"
	AreaState         = "state"
	AreaHost          = "host"
	AreaResolver      = "resolver"
	AreaSources       = "sources"
	AreaSender        = "sender"
)

// A Finding is what came of one check.
type Finding struct {
	Area    string `json:"area"`
	Subject string `json:"subject"` // What of the area: a server, a source and its family, a path; may be "".
	Check   string `json:"check"`   // What was looked at, in a word.
	State   State  `json:"state"`
	Found   string `json:"found"`  // One sentence, without a full stop.
	Advice  string `json:"advice"` // What to do, in one sentence; "" if nothing.
}

// Options say what is looked at.
type Options struct {
	// Config is the configuration, with what is wrong with it in Faults. It is nil if it cannot be read; then only the
	// host is looked at.
	Config *config.Config
	Faults config.Faults

	// Socket is where a daemon may run.
	Socket string

	// Version is that of this program.
	Version apitype.Version

	// Verify verifies an address where no daemon runs; nil leaves that out.
	Verify func(ctx context.Context, email string) (apitype.Answer, error)
}

// An exam is one run.
type exam struct {
	Options
	host host
}

// Examine looks at everything and tells emit of each finding, in order, as soon as it is known. It takes a minute or two
// where nothing answers, and some seconds otherwise. It returns when all is told.
func Examine(ctx context.Context, opts Options, emit func(Finding)) {
	(&exam{opts, thisHost()}).run(ctx, emit)
}

// run looks at all areas at once, and tells of them in order.
func (x *exam) run(ctx context.Context, emit func(Finding)) {
	type part struct {
		area string
		look func(context.Context) []Finding
		done chan []Finding
	}
	svc := x.service()
	parts := []part{
		{area: AreaConfiguration, look: x.configuration},
		{area: AreaDaemon, look: svc.look},
		{area: AreaState, look: func(context.Context) []Finding { return x.state(svc.await()) }},
		{area: AreaHost, look: func(context.Context) []Finding { return x.looksHost(svc.await()) }},
		{area: AreaResolver, look: x.resolver},
		{area: AreaSources, look: x.sources},
		{area: AreaSender, look: func(ctx context.Context) []Finding { return x.sender(ctx, svc.await()) }},
	}
	for i := range parts {
		p := &parts[i]
		p.done = make(chan []Finding, 1)
		go func() { p.done <- p.look(ctx) }() // Joined below.
	}
	for _, p := range parts {
		for _, f := range <-p.done {
			f.Area = p.area
			emit(f)
		}
	}
}

// lookTimeout bounds what is asked of the daemon itself.
const lookTimeout = 5 * time.Second
