//go:build interop

package interop

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A root is a private file system for one server, with a system log that the test reads.
type root struct {
	dir    string
	log    *systemLog
	exited chan struct{} // Closed when the server that was started last has ended.
}

// users are the accounts of every root, beside those that a server asks for.
const users = `root:x:0:0:root:/:/bin/sh
daemon:x:1:1:daemon:/:/bin/false
mail:x:8:8:mail:/:/bin/false
nobody:x:65534:65534:nobody:/:/bin/false
`

const groups = `root:x:0:
daemon:x:1:
mail:x:8:
nogroup:x:65534:
`

// newRoot makes a root of Debian packages. accounts are lines of passwd and of group.
func newRoot(t testing.TB, packages []string, accounts, accountGroups string) *root {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Fatal("the interop tests run real mail servers in private namespaces, and must be run as root")
	}
	dir, err := os.MkdirTemp("", "interop") // Not t.TempDir: the path of the log's socket would grow too long.
	if err != nil {
		t.Fatal(err)
	}
	// Registered first, run last: what is mounted here is gone with the server's namespace by then.
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	r := &root{dir: dir}
	if err := os.Chmod(dir, 0o755); err != nil { // Servers are not root's for long.
		t.Fatal(err)
	}
	for _, d := range []string{"dev", "etc", "proc", "run", "tmp", "var/log", "var/mail", "var/run", "var/spool", "var/tmp"} {
		r.mkdir(t, d, 0o755, 0, 0)
	}
	r.mkdir(t, "tmp", 0o1777, 0, 0)
	r.mkdir(t, "var/tmp", 0o1777, 0, 0)
	unpack(t, dir, packages)
	r.write(t, "etc/passwd", users+accounts)
	r.write(t, "etc/group", groups+accountGroups)
	r.write(t, "etc/nsswitch.conf", "passwd: files\ngroup: files\nhosts: files\nservices: files\n")
	r.write(t, "etc/resolv.conf", "nameserver 127.255.255.1\noptions attempts:1\n") // Where nobody listens.
	r.write(t, "etc/services", "smtp 25/tcp mail\nsubmission 587/tcp\nauth 113/tcp\n")
	r.write(t, "etc/protocols", "tcp 6 TCP\nudp 17 UDP\n")
	r.write(t, "dev/null", "") // What the device is mounted on.
	r.log = newSystemLog(t, r.path("dev/log"))
	return r
}

// path is the place of a file of the root, seen from outside.
func (r *root) path(name string) string { return filepath.Join(r.dir, name) }

// write makes a file that all may read.
func (r *root) write(t testing.TB, name, text string) {
	t.Helper()
	r.writeMode(t, name, text, 0o644)
}

// writeMode makes a file of root's.
func (r *root) writeMode(t testing.TB, name, text string, mode fs.FileMode) {
	t.Helper()
	r.mkdir(t, filepath.Dir(name), 0o755, 0, 0)
	if err := os.WriteFile(r.path(name), []byte(text), mode); err != nil {
		t.Fatal(err)
	}
}

// mkdir makes a directory, and those above it, unless it is there; then gives it the mode and owner.
func (r *root) mkdir(t testing.TB, name string, mode uint32, uid, gid int) {
	t.Helper()
	path := r.path(name)
	if err := os.MkdirAll(path, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.Chown(path, uid, gid), syscall.Chmod(path, mode)); err != nil {
		t.Fatal(err)
	}
}

// own gives a file to an account.
func (r *root) own(t testing.TB, name string, uid, gid int) {
	t.Helper()
	if err := os.Chown(r.path(name), uid, gid); err != nil {
		t.Fatal(err)
	}
}

// enter makes $1 the root directory of a command, in a mount namespace of its own. The devices are bound one by one, so
// that /dev/log is ours.
const enter = `set -e
mount --make-rprivate /
for device in null zero random urandom
do
	: >"$1/dev/$device"
	mount --bind "/dev/$device" "$1/dev/$device"
done
mount -t proc proc "$1/proc"
root=$1
shift
exec chroot "$root" "$@"
`

// command prepares a command in the root: the first process of a PID namespace, so that whatever it starts dies with
// it, and it dies with the test.
func (r *root) command(t testing.TB, argv ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("/bin/sh", append([]string{"-c", enter, "sh", r.dir}, argv...)...)
	cmd.Dir = "/"
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C", "TZ=UTC"}
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID,
		Pdeathsig:  syscall.SIGKILL,
	}
	return cmd
}

// run runs a command in the root to its end, and returns its standard output.
func (r *root) run(t testing.TB, argv ...string) string {
	t.Helper()
	return r.runInput(t, "dev/null", argv...)
}

// runInput does so with a file of the root as standard input.
func (r *root) runInput(t testing.TB, input string, argv ...string) string {
	t.Helper()
	stdin, err := os.Open(r.path(input))
	if err != nil {
		t.Fatal(err)
	}
	defer stdin.Close()
	var stderr strings.Builder
	cmd := r.command(t, argv...)
	cmd.Stdin = stdin
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s: %v\n%s\n%s", strings.Join(argv, " "), explainNamespace(err), stderr.String(), r.log)
	}
	return string(out)
}

// start starts a server that stays in the foreground. When the test ends it gets SIGTERM, and SIGKILL soon after.
func (r *root) start(t testing.TB, argv ...string) {
	t.Helper()
	out, err := os.Create(r.path("output"))
	if err != nil {
		t.Fatal(err)
	}
	defer out.Close()
	cmd := r.command(t, argv...)
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v", strings.Join(argv, " "), explainNamespace(err))
	}
	exited := make(chan struct{})
	r.exited = exited
	go func() {
		_ = cmd.Wait() // How a server of others ends proves nothing; its log tells, and the clean-up below joins this.
		close(exited)
	}()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // It may be gone already.
		select {
		case <-exited:
		case <-time.After(3 * time.Second):
			_ = cmd.Process.Kill()
			<-exited
		}
		if t.Failed() {
			t.Logf("%s printed:\n%s\nand logged:\n%s", argv[0], r.output(), r.log)
		}
	})
}

// output is what the server that was started last has printed.
func (r *root) output() string {
	b, err := os.ReadFile(r.path("output"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err.Error()
	}
	return string(b)
}

// explainNamespace says what a refused clone means.
func explainNamespace(err error) error {
	if errors.Is(err, syscall.EPERM) {
		return errors.Join(err, errors.New("mount and PID namespaces need CAP_SYS_ADMIN; a container must be privileged"))
	}
	return err
}
