package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"syscall"
)

// state looks at the state directory and its file system.
func (x *exam) state(r running) []Finding {
	if x.Config == nil {
		return nil
	}
	dir := x.Config.StateDir
	out := []Finding{x.stateDir(dir, r)}
	at := dir // Or the directory in which it will be made.
	for at != filepath.Dir(at) {
		if _, err := os.Stat(at); err == nil {
			break
		}
		at = filepath.Dir(at)
	}
	return append(out, x.room(at))
}

// stateDir looks whether the daemon can use the state directory, which is the first that exists of what leads there.
func (x *exam) stateDir(dir string, r running) Finding {
	f := Finding{Subject: dir, Check: "state_dir", State: OK}
	fi, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return x.noStateDir(dir, f)
	case err != nil:
		f.State, f.Found, f.Advice = Unknown, "cannot be looked at: "+err.Error(), "Run doctor as root."
	case !fi.IsDir():
		f.State, f.Found, f.Advice = Fail, dir+" is not a directory", "Let state_dir name one."
	case fi.Mode().Perm()&0o022 != 0:
		f.State, f.Found = Fail, fmt.Sprintf("others may write to %s (mode %04o), so the daemon does not start", dir, fi.Mode().Perm())
		f.Advice = "chmod 0700 " + dir + "."
	case fi.Mode().Perm()&0o055 != 0:
		f.State, f.Found = Warn, fmt.Sprintf("others may look into %s (mode %04o), where addresses are kept", dir, fi.Mode().Perm())
		f.Advice = "chmod 0700 " + dir + "."
	default:
		x.stateOwner(dir, fi, r, &f)
	}
	return f
}

// noStateDir is about a state directory that is to be made.
func (x *exam) noStateDir(dir string, f Finding) Finding {
	if _, err := os.Stat(filepath.Dir(dir)); err != nil && x.Config.IsSet("state_dir") {
		f.State, f.Found = Fail, "there is no "+filepath.Dir(dir)+" to make "+filepath.Base(dir)+" in"
		f.Advice = "Make it, or correct state_dir."
		return f
	}
	f.State, f.Found = Note, dir+" does not exist yet; the first start makes it"
	return f
}

// stateOwner looks whose the state directory is: it has to be the daemon's.
func (x *exam) stateOwner(dir string, fi fs.FileInfo, r running, f *Finding) {
	owner := -1
	if st, ok := fi.Sys().(*syscall.Stat_t); ok {
		owner = int(st.Uid)
	}
	f.Found = fmt.Sprintf("%s is there and belongs to %s", dir, userName(owner))
	switch {
	case r.answers && r.uid >= 0 && owner != r.uid:
		f.State, f.Found = Warn, fmt.Sprintf("%s belongs to %s, and the daemon runs as %s", dir, userName(owner), userName(r.uid))
		f.Advice = "See whether the daemon that runs is the one of this configuration; if so, chown -R the directory to its user."
	case !r.answers && os.Geteuid() != 0 && owner != os.Geteuid():
		f.State, f.Found = Note, fmt.Sprintf("%s belongs to %s; only a daemon of that user can use it", dir, userName(owner))
	}
}

func userName(uid int) string {
	if uid < 0 {
		return "somebody"
	}
	if u, err := user.LookupId(strconv.Itoa(uid)); err == nil {
		return u.Username
	}
	return "user " + strconv.Itoa(uid)
}

// Below these, in bytes, there is little room, and too little: the stores stop to write when 256 MiB are left for the
// cache, and 96 MiB for what must not be lost.
const (
	littleRoom  = 2 << 30
	tooFewBytes = 300 << 20
	tooFewFiles = 1000
)

// room looks at the file system that dir is on.
func (x *exam) room(dir string) Finding {
	f := Finding{Subject: dir, Check: "disk", State: OK}
	sp, err := x.host.space(dir)
	if err != nil {
		f.State, f.Found = Unknown, fmt.Sprintf("the room in %s is not known: %v", dir, err)
		return f
	}
	f.Found = fmt.Sprintf("%s are free in %s", bytesText(sp.free), dir)
	switch {
	case sp.readOnly:
		f.State, f.Found, f.Advice = Fail, dir+" is on a file system that is read-only", "Mount it for writing, or let state_dir name another place."
	case sp.free < tooFewBytes:
		f.State, f.Found = Fail, fmt.Sprintf("only %s are free in %s, too little to keep what is learned", bytesText(sp.free), dir)
		f.Advice = "Make room, or let state_dir name another place."
	case sp.filesKnown && sp.files < tooFewFiles:
		f.State, f.Found = Fail, fmt.Sprintf("only %d files can still be made in %s", sp.files, dir)
		f.Advice = "Delete small files there, or let state_dir name another place."
	case sp.free < littleRoom:
		f.State, f.Found = Warn, fmt.Sprintf("only %s are free in %s", bytesText(sp.free), dir)
		f.Advice = "Make room: a million remembered addresses take about a gigabyte."
	}
	return f
}

func bytesText(n uint64) string {
	if n >= 10<<30 {
		return fmt.Sprintf("%d GB", n>>30)
	}
	return fmt.Sprintf("%d MB", n>>20)
}
