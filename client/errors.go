package client

import (
	"errors"
	"fmt"
	"io/fs"
	"syscall"
	"time"
)

// ErrNoDaemon is what every [*NoDaemonError] is: nobody answers on the socket.
var ErrNoDaemon = errors.New("no verimaild answers")

// A NoDaemonError says on which socket nobody answers, why, and what to do about it. It is [ErrNoDaemon], and its
// cause is fs.ErrNotExist (there is no socket), syscall.ECONNREFUSED (a socket without a daemon) or fs.ErrPermission
// (a daemon that we may not ask), among others.
type NoDaemonError struct {
	Socket string
	Err    error
}

func (e *NoDaemonError) Error() string {
	why := e.Err.Error()
	switch {
	case errors.Is(e.Err, fs.ErrNotExist):
		why = `there is no such socket; start a daemon with "systemctl start verimaild" or "verimaild serve", or name its socket in ` + SocketEnv
	case errors.Is(e.Err, syscall.ECONNREFUSED):
		why = `the daemon that made it is gone; start it with "systemctl start verimaild" or "verimaild serve"`
	case errors.Is(e.Err, fs.ErrPermission):
		why = `this user may not open it; add your user to the group verimaild ("sudo usermod -aG verimaild $USER") and log in anew`
	}
	return fmt.Sprintf("%v on %s: %s", ErrNoDaemon, e.Socket, why)
}

// Unwrap returns ErrNoDaemon and the cause.
func (e *NoDaemonError) Unwrap() []error { return []error{ErrNoDaemon, e.Err} }

// An Error is a refusal by the daemon.
type Error struct {
	Code       string        // One of apitype's codes, such as apitype.CodeShuttingDown; "" if it is not verimaild that answers.
	Message    string        // For a person.
	RetryAfter time.Duration // When asking again may help; 0 if time alone does not.
	Rule       string        // The configuration key that refuses, such as "apps[2].quota.per_day"; "" if none does.
	Status     int           // The HTTP status.
	RequestID  string        // Under which the daemon's log has this request.
}

func (e *Error) Error() string {
	if e.Code == "" {
		return e.Message
	}
	return fmt.Sprintf("%s (%s)", e.Message, e.Code)
}
