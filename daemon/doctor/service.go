package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"sync"
	"syscall"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/client/apitype"
)

// A running daemon, as far as it can be seen from its socket. The zero running is none.
type running struct {
	answers bool
	pid     int // 0 if it is not known.
	uid     int // -1 if it is not known.
}

// A service is the daemon's side of an exam. Others wait for it to know whether one runs.
type service struct {
	x     *exam
	once  sync.Once
	ready chan struct{} // Closed once seen is set.
	seen  running
}

func (x *exam) service() *service { return &service{x: x, ready: make(chan struct{})} }

// await returns what is known of the daemon, once it is.
func (s *service) await() running {
	<-s.ready
	return s.seen
}

func (s *service) settle(r running) {
	s.once.Do(func() { s.seen = r; close(s.ready) })
}

// look asks the daemon on the socket, if there is one.
func (s *service) look(ctx context.Context) []Finding {
	defer s.settle(running{uid: -1})
	out := []Finding{{Check: "version", State: OK, Found: "this is verimaild " + versionText(&s.x.Version)}}
	if s.x.Socket == "" {
		return out
	}
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	c := client.Client{Socket: s.x.Socket, MaxRetries: -1}
	defer c.CloseIdleConnections()
	if err := c.Health(ctx); err != nil {
		return append(out, s.silent(err))
	}
	r := running{answers: true}
	r.pid, r.uid = s.peer(ctx)
	s.settle(r)
	out = append(out, Finding{Subject: s.x.Socket, Check: "running", State: OK, Found: "a daemon answers on " + s.x.Socket})
	out = append(out, s.version(ctx, &c)...)
	out = append(out, s.readiness(ctx, &c)...)
	return append(out, s.permissions()...)
}

// silent says why no daemon answers. That none runs is no fault: doctor is for before the first start too.
func (s *service) silent(err error) Finding {
	f := Finding{Subject: s.x.Socket, Check: "running", State: Fail, Found: err.Error(), Advice: "See journalctl -u verimaild."}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f.State, f.Found = Note, "no daemon runs: there is no socket at "+s.x.Socket
		f.Advice = "Start it with systemctl start verimaild, or verimaild serve."
	case errors.Is(err, syscall.ECONNREFUSED):
		f.State, f.Found = Warn, "no daemon runs, and the last one was killed: nobody answers on "+s.x.Socket
		f.Advice = "Start it with systemctl start verimaild, or verimaild serve; see journalctl -u verimaild for why it ended."
	case errors.Is(err, fs.ErrPermission):
		f.State, f.Found = Warn, "this user may not open "+s.x.Socket
		f.Advice = "Run doctor as root, or add this user to the group of the socket and log in anew."
	case errors.Is(err, context.DeadlineExceeded):
		f.Found = "the daemon on " + s.x.Socket + " does not answer"
	}
	return f
}

// peer is the process and the user at the other end of the socket.
func (s *service) peer(ctx context.Context) (pid, uid int) {
	var d net.Dialer
	c, err := d.DialContext(ctx, "unix", s.x.Socket)
	if err != nil {
		return 0, -1
	}
	defer c.Close()
	return peerOf(c)
}

// version compares the daemon's version with that of this program.
func (s *service) version(ctx context.Context, c *client.Client) []Finding {
	v, err := c.Version(ctx)
	switch {
	case err != nil:
		return []Finding{{Check: "version", State: Fail, Found: "the daemon does not tell its version: " + err.Error(), Advice: "See journalctl -u verimaild."}}
	case v.Version != s.x.Version.Version || v.Commit != s.x.Version.Commit:
		return []Finding{{
			Check: "version", State: Warn, Found: "the daemon that runs is another one, " + versionText(&v),
			Advice: "Restart it with systemctl restart verimaild.",
		}}
	}
	return nil
}

func versionText(v *apitype.Version) string {
	commit := v.Commit
	if commit != "" {
		commit = fmt.Sprintf(" (%.12s)", commit)
	}
	return fmt.Sprintf("%s%s, %s %s/%s", v.Version, commit, v.Go, v.OS, v.Arch)
}

// readiness repeats what the daemon says is in its way.
func (s *service) readiness(ctx context.Context, c *client.Client) []Finding {
	r, err := c.Ready(ctx)
	if err != nil {
		return []Finding{{Check: "ready", State: Fail, Found: "the daemon does not say whether it is ready: " + err.Error(), Advice: "See journalctl -u verimaild."}}
	}
	var out []Finding
	for _, p := range r.Problems {
		st := Warn
		if !r.Ready {
			st = Fail
		}
		out = append(out, Finding{Subject: p.Code, Check: "ready", State: st, Found: p.Message, Advice: "The lines about the sources and the sender say more."})
	}
	if len(out) == 0 {
		out = append(out, Finding{Check: "ready", State: OK, Found: "it can ask mail servers"})
	}
	return out
}

// permissions looks whether applications can get at the socket.
func (s *service) permissions() []Finding {
	fi, err := os.Stat(s.x.Socket)
	if err != nil || s.x.Config == nil || s.x.Config.Socket.Path != s.x.Socket {
		return nil
	}
	want := &s.x.Config.Socket
	f := Finding{Subject: s.x.Socket, Check: "permissions", State: OK}
	mode, group := fi.Mode().Perm(), groupOf(fi)
	f.Found = fmt.Sprintf("the socket has mode %04o and group %s", mode, group)
	dir, err := os.Stat(filepath.Dir(s.x.Socket))
	switch {
	case mode != want.Mode.Perm():
		f.State, f.Found = Warn, fmt.Sprintf("the socket has mode %04o, and socket.mode is %04o", mode, want.Mode.Perm())
		f.Advice = "Restart the daemon; a reload does not change the socket."
	case s.x.Config.IsSet("socket.group") && want.Group != group && want.Group != groupID(fi):
		f.State, f.Found = Warn, fmt.Sprintf("the socket has group %s, and socket.group is %s", group, want.Group)
		f.Advice = "Restart the daemon; its user has to be in that group."
	case err == nil && mode&0o077 != 0 && dir.Mode().Perm()&0o011 == 0:
		f.State, f.Found = Warn, fmt.Sprintf("applications cannot reach the socket: %s has mode %04o", filepath.Dir(s.x.Socket), dir.Mode().Perm())
		f.Advice = "chmod 0755 the directory, or choose another for socket.path."
	}
	return []Finding{f}
}

func groupID(fi fs.FileInfo) string {
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		return strconv.FormatUint(uint64(st.Gid), 10)
	}
	return ""
}

// groupOf is the name of a file's group, or its number.
func groupOf(fi fs.FileInfo) string {
	id := groupID(fi)
	if g, err := user.LookupGroupId(id); err == nil {
		return g.Name
	}
	return id
}
