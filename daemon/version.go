package daemon

import (
	"runtime"
	"runtime/debug"

	"github.com/verimails/verimaild/client/apitype"
)

// What packages are built with: the linker sets these (-X), once, and nothing else does. See packaging/build.
var version, commit, built string

// Version says what was built: from what the linker was told, or else from what the Go tool recorded.
func Version() apitype.Version {
	v := apitype.Version{Version: "devel", Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	if version != "" {
		v.Version, v.Commit, v.Built = version, commit, built
		return v
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" && info.Main.Version != "(devel)" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.time":
			v.Built = s.Value
		}
	}
	return v
}
