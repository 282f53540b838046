package api

import (
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/verimails/verimaild/client/apitype"
)

// asUser runs f on a thread of its own that belongs to another user; only root can. The kernel looks at the thread
// that connects, not at the process.
func asUser(t *testing.T, uid, gid int, groups []uint32, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to become another user")
	}
	done := make(chan unix.Errno)
	go func() {
		runtime.LockOSThread() // Never unlocked: the thread ends with the goroutine.
		_, _, errno := unix.RawSyscall(unix.SYS_SETGROUPS, uintptr(len(groups)), groupsPointer(groups), 0)
		if errno == 0 {
			_, _, errno = unix.RawSyscall(unix.SYS_SETRESGID, uintptr(gid), uintptr(gid), uintptr(gid))
		}
		if errno == 0 {
			_, _, errno = unix.RawSyscall(unix.SYS_SETRESUID, uintptr(uid), uintptr(uid), uintptr(uid))
		}
		if errno == 0 {
			f()
		}
		done <- errno
	}()
	if errno := <-done; errno != 0 {
		t.Fatalf("become uid %d: %v", uid, errno)
	}
}

// accepted connects to l by dial and returns the server's end.
func accepted(t *testing.T, l net.Listener, dial func() (net.Conn, error)) net.Conn {
	t.Helper()
	client, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { client.Close() })
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	return conn
}

// groupsPointer is where setgroups(2) finds groups.
func groupsPointer(groups []uint32) uintptr { return uintptr(unsafe.Pointer(unsafe.SliceData(groups))) }

func TestIdentify(t *testing.T) {
	l, err := Listen(Socket{Path: filepath.Join(shortDir(t), "s")})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	conn := accepted(t, l, func() (net.Conn, error) { return net.Dial("unix", l.path) })
	groups, err := os.Getgroups()
	if err != nil {
		t.Fatal(err)
	}
	got := New(Options{}).identify(conn)
	if got.PID != os.Getpid() || got.UID != os.Geteuid() || got.GID != os.Getegid() {
		t.Errorf("identify() = %+v, want pid %d, uid %d, gid %d", got, os.Getpid(), os.Geteuid(), os.Getegid())
	}
	slices.Sort(groups)
	slices.Sort(got.Groups)
	if !slices.Equal(got.Groups, groups) {
		t.Errorf("groups = %v, want %v", got.Groups, groups)
	}
	if got.App != DefaultApp || got.Scopes != ScopeVerify|ScopeJobs|ScopeAdmin {
		t.Errorf("our own user is %s with %s, want default with verify+jobs+admin", got.App, got.Scopes)
	}
}

func TestIdentifyOtherUser(t *testing.T) {
	dir := shortDir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	l, err := Listen(Socket{Path: filepath.Join(dir, "s"), Mode: 0o666})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	groups := make([]uint32, 100) // More than peerGroups asks for at first.
	for i := range groups {
		groups[i] = uint32(70000 + i)
	}
	var client net.Conn
	asUser(t, 65534, 65533, groups, func() { client, err = net.Dial("unix", l.path) })
	conn := accepted(t, l, func() (net.Conn, error) { return client, err })
	got := New(Options{}).identify(conn)
	if got.UID != 65534 || got.GID != 65533 || len(got.Groups) != len(groups) || got.Groups[99] != 70099 {
		t.Errorf("identify() = uid %d, gid %d, %d groups, want 65534, 65533, 100", got.UID, got.GID, len(got.Groups))
	}
	if got.Scopes != ScopeVerify|ScopeJobs {
		t.Errorf("scopes = %s, want verify+jobs", got.Scopes)
	}
}

func TestIdentifyNobody(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	tcp := accepted(t, l, func() (net.Conn, error) { return net.Dial("tcp", l.Addr().String()) })
	for name, conn := range map[string]net.Conn{"pipe": a, "TCP": tcp} {
		if got := New(Options{}).identify(conn); got.UID != -1 || got.Scopes&ScopeAdmin != 0 {
			t.Errorf("identify(%s) = uid %d with %s, want -1 and no admin", name, got.UID, got.Scopes)
		}
	}
}

func TestScopes(t *testing.T) {
	reached := func(_ *Server, c *call) error { c.send(http.StatusOK, []byte("{}")); return nil }
	s := serve(t, Options{}, func(s *Server) {
		s.self = -2 // Nobody: what we may do does not come from being the daemon's user.
		s.mux.HandleFunc("GET /admin", func(w http.ResponseWriter, r *http.Request) {
			callerOf(r.Context()).Scopes &^= ScopeAdmin // Also if the test is run by root.
			s.run(route{scope: ScopeAdmin, handle: reached}, w, r)
		})
	})
	got := s.request(t, http.MethodGet, "/admin", "")
	if e := errorOf(t, got.body); got.StatusCode != 403 || e.Code != apitype.CodeForbidden {
		t.Errorf("GET /admin = %d %+v, want 403 forbidden", got.StatusCode, e)
	}
	if r := s.request(t, http.MethodGet, "/v1/verify?email=a@b.example", ""); r.StatusCode != 200 {
		t.Errorf("GET /v1/verify = %d, want 200", r.StatusCode)
	}
}

func TestScopeString(t *testing.T) {
	for _, tt := range []struct {
		scope Scope
		want  string
	}{
		{ScopeNone, "none"},
		{ScopeVerify, "verify"},
		{ScopeVerify | ScopeAdmin, "verify+admin"},
	} {
		t.Run(tt.want, func(t *testing.T) {
			if got := tt.scope.String(); got != tt.want {
				t.Errorf("String() = %s, want %s", got, tt.want)
			}
		})
	}
}
