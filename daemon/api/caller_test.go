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

// identify is who calls on conn, by apps.
func identify(apps Apps, conn net.Conn) *Caller {
	return (&connection{accounts: newAccounts(AccountsOptions{Apps: apps}), peer: peerOf(conn)}).current()
}

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
	got := identify(Apps{}, conn)
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
	got := identify(Apps{}, conn)
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
		if got := identify(Apps{}, conn); got.UID != -1 || got.Scopes&ScopeAdmin != 0 {
			t.Errorf("identify(%s) = uid %d with %s, want -1 and no admin", name, got.UID, got.Scopes)
		}
	}
}

// TestScopes: what an application may not do is refused by the rule that says so, from the moment that it does.
func TestScopes(t *testing.T) {
	us := new(os.Geteuid())
	s := serve(t, Options{}, notAdmins)
	check := func(what string, got result, rule string) {
		t.Helper()
		if rule == "" {
			if got.StatusCode != 200 {
				t.Errorf("%s = %d %s, want 200", what, got.StatusCode, got.body)
			}
			return
		}
		e := errorOf(t, got.body)
		if got.StatusCode != 403 || e.Code != apitype.CodeForbidden || e.Rule == nil || *e.Rule != rule {
			t.Errorf("%s = %d %s, want 403 forbidden by %s", what, got.StatusCode, got.body, rule)
		}
	}
	const verify, version = "/v1/verify?email=a@b.example", "/v1/version"
	check("the default application", s.request(t, http.MethodGet, verify, ""), "")
	check("the default application as an admin", s.request(t, http.MethodDelete, "/v1/cache", ""), "default")
	for _, tt := range []struct {
		name string
		apps Apps
		rule string // That refuses a question; "" if none does.
	}{
		{"may not verify", Apps{List: []App{{Name: "other"}, {Name: "jobs", UID: us, Scopes: ScopeJobs, Rule: "apps[1]"}}}, "apps[1].scopes"},
		{"may verify", Apps{List: []App{{Name: "a", UID: us, Scopes: ScopeVerify, Rule: "apps[0]"}}}, ""},
		{"is unknown", Apps{Only: true}, "apps_only"},
		{"is listed", Apps{List: []App{{Name: "a", UID: us}}, Only: true}, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.accounts.Replace(tt.apps) // The connection is the same.
			check("GET /v1/verify", s.request(t, http.MethodGet, verify, ""), tt.rule)
			check("GET /v1/version", s.request(t, http.MethodGet, version, ""), "")
		})
	}
}

// notAdmins takes from us what comes from being the daemon's user, or root.
func notAdmins(s *Server) {
	s.accounts.self = -2
	s.accounts.rootIs = -2
}

func TestFind(t *testing.T) {
	id := func(n int) *int { return &n }
	table := newAccounts(AccountsOptions{Apps: Apps{List: []App{
		{Name: "web", GID: id(33)},
		{Name: "signup", UID: id(1001)},
		{Name: "both", UID: id(1002), GID: id(500)},
		{Name: "later", GID: id(501)},
	}}}).table.Load()
	for _, tt := range []struct {
		name     string
		uid, gid int
		groups   []int
		want     string
	}{
		{"by user", 1001, 100, nil, "signup"},
		{"a user decides before a group", 1001, 33, []int{500}, "signup"},
		{"by its own group", 7, 33, nil, "web"},
		{"by another group", 7, 7, []int{1, 500}, "both"},
		{"the first group in the list", 7, 501, []int{500, 33}, "web"},
		{"nobody", 7, 7, []int{8}, DefaultApp},
		{"without credentials", -1, -1, nil, DefaultApp},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m, claimed := table.find(tt.uid, tt.gid, tt.groups)
			if m.Name != tt.want || claimed != (tt.want != DefaultApp) {
				t.Errorf("find(%d, %d, %v) = %s, %t, want %s", tt.uid, tt.gid, tt.groups, m.Name, claimed, tt.want)
			}
		})
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
