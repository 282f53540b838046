#!/bin/sh
# Checks the unit with systemd-analyze, and the sysusers file with systemd-sysusers where that is installed.
# The unit is checked as it stands, but for the path of the daemon: "verify" wants the program to exist, so a copy
# of the unit names a stand-in. A key that systemd does not know is only a warning to it; here every word is a failure.
# Usage: systemd/verify.sh [program]  (program: a real verimaild to name instead of the stand-in)
set -eu
here=$(cd "$(dirname "$0")" && pwd)
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT

program=${1:-$dir/verimaild}
if [ $# -eq 0 ]; then
	printf '#!/bin/sh\n' >"$program"
	chmod 755 "$program"
fi
sed "s|^ExecStart=/usr/bin/verimaild |ExecStart=$program |" "$here/verimaild.service" >"$dir/verimaild.service"
if ! grep -q "^ExecStart=$program " "$dir/verimaild.service"; then
	echo "verimaild.service: ExecStart is not /usr/bin/verimaild" >&2
	exit 1
fi

# quietly runs a command and fails if it fails or has anything to say.
quietly() {
	said=$("$@" 2>&1) || { printf '%s\n' "$said" >&2; exit 1; }
	[ -z "$said" ] || { printf '%s\n' "$said" >&2; exit 1; }
}

quietly systemd-analyze verify "$dir/verimaild.service"
echo "verimaild.service: fine"

if command -v systemd-sysusers >/dev/null; then
	# An empty root: whether this machine has the user already makes no difference.
	mkdir -p "$dir/root/etc"
	said=$(systemd-sysusers --root="$dir/root" "$here/verimaild.sysusers.conf" 2>&1) || { printf '%s\n' "$said" >&2; exit 1; }
	grep -q '^verimaild:' "$dir/root/etc/passwd"
	grep -q '^verimaild:' "$dir/root/etc/group"
	echo "verimaild.sysusers.conf: fine"
fi
