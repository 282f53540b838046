package smtp

import (
	"context"
	"crypto/tls"
	"net"
	"time"
)

// Open takes a new connection from the greeting to the last EHLO. It says nothing before the last line of the
// greeting has come, falls back to HELO where EHLO is unknown, and takes STARTTLS by policy; after the handshake only
// what the second EHLO offers counts, RFC 3207 §4.2.
//
// A STARTTLS that is refused after all leaves the server in step: under TLSOpportunistic the session goes on in clear,
// and Opening has the reply. A handshake that fails does not: the error has KindTLS or KindInjection, and
// one new connection with TLSNever is the caller's to make.
//
// Open owns nc from now on, also when it fails; then it has sent QUIT if the server could still hear it. The error is
// an *Error. When ctx ends, Open fails with KindCanceled.
func Open(ctx context.Context, nc net.Conn, cfg Config) (*Session, error) {
	cfg.Timeouts = cfg.Timeouts.withDefaults()
	s := &Session{
		conn:     nc,
		guard:    guard{conn: nc},
		timeouts: cfg.Timeouts,
		done:     make(chan struct{}),
		settled:  make(chan struct{}, 1),
	}
	o := &opening{cfg: &cfg, s: s}
	s.in.src, s.in.heard = nc, o.heard

	stop := context.AfterFunc(ctx, s.guard.trip)
	e := o.run()
	if !stop() {
		e = &Error{Stage: o.stage, Kind: KindCanceled, Err: context.Cause(ctx)}
	}
	if e != nil {
		e.Opening = o.log.sealed()
		o.abandon(e)
		return nil, e
	}
	s.start(o)
	return s, nil
}

// start makes the opening a session.
func (s *Session) start(o *opening) {
	s.in.src, s.in.heard = (*wire)(s), nil
	s.opening = o.log.sealed()
	s.pipelining = s.ext.Pipelining && !o.cfg.NoPipelining
	s.guard.set(time.Time{})
	s.reader.Go(s.readLoop)
}

// An opening is the dialogue that comes before a session's first transaction.
type opening struct {
	cfg     *Config
	s       *Session
	stage   Stage
	greeted bool // The greeting has come to its end: we may speak.
	owed    bool // A command was sent whose reply has not come.
	log     transcript
}

// run goes through the steps.
func (o *opening) run() *Error {
	o.stage = StageConnect
	if err := checkLocalName(o.cfg.LocalName); err != nil {
		return &Error{Stage: o.stage, Kind: KindArgument, Err: err}
	}
	if e := o.greeting(); e != nil {
		return e
	}
	if e := o.hello(); e != nil {
		return e
	}
	if e := o.secure(); e != nil {
		return e
	}
	return o.stray()
}

// heard records what the server says.
func (o *opening) heard(at time.Time, line []byte) { o.log.add(at, false, line) }

// greeting waits for the server to speak first. A line "220-" may come long before the last one: servers that punish
// early talkers send it as bait.
func (o *opening) greeting() *Error {
	now := time.Now()
	o.s.guard.set(now.Add(o.s.timeouts.Greeting))
	reply, err := o.s.in.readReply()
	if err != nil {
		return readError(o.stage, err)
	}
	o.greeted = true
	reply.Took = reply.At.Sub(now)
	if reply.Code != 220 {
		return o.refusal(reply)
	}
	return nil
}

// hello sends EHLO, and HELO where EHLO is not known, RFC 5321 §3.2.
func (o *opening) hello() *Error {
	o.stage = StageEHLO
	o.s.ext = Extensions{}
	reply, e := o.exchange("EHLO "+o.cfg.LocalName, o.s.timeouts.EHLO)
	if e != nil {
		return e
	}
	switch reply.Code {
	case 250:
		o.s.ext = parseExtensions(reply.Lines)
		return nil
	case 500, 502, 504:
		if reply, e = o.exchange("HELO "+o.cfg.LocalName, o.s.timeouts.EHLO); e != nil {
			return e
		}
	}
	if reply.Code != 250 {
		return o.refusal(reply)
	}
	return nil
}

// secure takes the offer of STARTTLS by policy.
func (o *opening) secure() *Error {
	if o.cfg.TLS == TLSNever {
		return nil
	}
	required := o.cfg.TLS == TLSRequired
	if !o.s.ext.StartTLS {
		if required {
			return &Error{Stage: StageSTARTTLS, Kind: KindTLSRequired}
		}
		return nil
	}
	o.stage = StageSTARTTLS
	reply, e := o.exchange("STARTTLS", o.s.timeouts.STARTTLS)
	switch {
	case e != nil:
		return e
	case reply.Code == 220:
		return o.handshake(reply)
	case reply.Code == 421 || !reply.Transient() && !reply.Permanent():
		return o.refusal(reply)
	case required:
		return &Error{Stage: o.stage, Kind: KindTLSRequired, Reply: reply}
	}
	return nil
}

// handshake goes over to TLS and says EHLO again. granted is the 220.
func (o *opening) handshake(granted Reply) *Error {
	// RFC 3207 §4.2 and CVE-2011-0411: what was sent in clear must not be read as if it had come under TLS.
	if o.s.in.buffered() > 0 {
		return &Error{Stage: o.stage, Kind: KindInjection, Reply: granted, Err: protocolError("octets in clear after STARTTLS")}
	}
	s := o.s
	s.guard.set(time.Now().Add(s.timeouts.TLS))
	conn := tls.Client(s.guard.conn, clientTLS(o.cfg.ServerName))
	if err := conn.Handshake(); err != nil {
		return &Error{Stage: o.stage, Kind: KindTLS, Reply: granted, Err: err}
	}
	s.tlsVersion = versionName(conn.ConnectionState().Version)
	o.log.add(time.Now(), true, []byte("("+s.tlsVersion+")"))
	s.conn, s.in.src = conn, conn
	return o.hello()
}

// exchange sends one command and reads its reply. That the write failed shows in the reading, which may still find
// what the server had to say.
func (o *opening) exchange(command string, timeout time.Duration) (Reply, *Error) {
	if e := o.stray(); e != nil {
		return Reply{}, e
	}
	s := o.s
	now := time.Now()
	s.guard.set(now.Add(timeout))
	o.log.add(now, true, []byte(command))
	n, _ := s.conn.Write([]byte(command + "\r\n"))
	o.owed = n > 0
	reply, err := s.in.readReply()
	if err != nil {
		return Reply{}, readError(o.stage, err)
	}
	o.owed = false
	reply.Took = reply.At.Sub(now)
	return reply, nil
}

// stray is the failure of an opening in which the server has said more than it was asked; nil if it has not.
func (o *opening) stray() *Error {
	if o.s.in.buffered() == 0 {
		return nil
	}
	o.s.guard.set(time.Now().Add(lingering))
	reply, err := o.s.in.readReply()
	switch {
	case err != nil:
		return &Error{Stage: o.stage, Kind: KindProtocol, Err: err}
	case reply.Code == 421:
		return &Error{Stage: o.stage, Kind: KindReply, Reply: reply}
	default:
		return &Error{Stage: o.stage, Kind: KindProtocol, Reply: reply, Err: errSurplus}
	}
}

// refusal is the failure of a step that got a reply other than the one it needs. Only 4yz and 5yz are refusals; any
// other reply answers some other question.
func (o *opening) refusal(reply Reply) *Error {
	if reply.Transient() || reply.Permanent() {
		return &Error{Stage: o.stage, Kind: KindReply, Reply: reply}
	}
	return &Error{Stage: o.stage, Kind: KindProtocol, Reply: reply, Err: protocolError("unexpected reply")}
}

// abandon closes the connection of an opening that failed, after a QUIT if the server can read one. The reply is not
// waited for: there is nothing to learn from it.
func (o *opening) abandon(e *Error) {
	_ = o.s.guard.conn.SetDeadline(time.Now().Add(o.s.timeouts.QUIT))
	if o.mayQuit(e) && o.paid(e) {
		_, _ = o.s.conn.Write([]byte("QUIT\r\n"))
	}
	_ = o.s.guard.conn.Close()
}

// mayQuit reports whether QUIT may follow the failure e: we may speak, the server is there, has not said 421, is not half
// way into TLS.
func (o *opening) mayQuit(e *Error) bool {
	switch {
	case !o.greeted && e.Kind != KindCanceled, e.Reply.Code == 421:
		return false
	case e.Kind == KindDisconnected, e.Kind == KindTLS, e.Kind == KindInjection:
		return false
	case e.Stage == StageSTARTTLS:
		return e.Reply.Code != 0 || e.Kind == KindTLSRequired
	default:
		return true
	}
}

// paid reports whether nothing stands in the way of a further command: nothing may be said before the greeting, and
// neither EHLO nor STARTTLS may have a command behind it, RFC 2920 §3.1. Where we are the ones in a hurry, the server's
// word is waited for a little; one that has let its time pass will hardly speak any more.
func (o *opening) paid(e *Error) bool {
	if e.Kind != KindCanceled || o.greeted && !o.owed {
		return true
	}
	reply, err := o.s.in.readReply()
	return err == nil && reply.Code != 421
}
