#!/bin/sh
# Checks the units with systemd-analyze: every word it has to say is a failure (a key that systemd does not know is only
# a warning to it), and so is an exposure above 1.5. Checks the sysusers and tmpfiles entries where their programs are.
# The units are checked as they stand, but for the path of the daemon: "verify" wants the program to exist, so a copy
# of the unit names a stand-in.
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
sed "s|^\(Exec[A-Za-z]*\)=/usr/bin/verimaild |\1=$program |" "$here/verimaild.service" >"$dir/verimaild.service"
cp "$here/verimaild.socket" "$dir"
if ! grep -q "^ExecStart=$program " "$dir/verimaild.service"; then
	echo "verimaild.service: ExecStart is not /usr/bin/verimaild" >&2
	exit 1
fi

# quietly runs a command and fails if it fails or has anything to say.
quietly() {
	said=$("$@" 2>&1) || { printf '%s\n' "$said" >&2; exit 1; }
	[ -z "$said" ] || { printf '%s\n' "$said" >&2; exit 1; }
}

# Not the manual pages: they are made from the program, and need not be installed here.
quietly systemd-analyze verify --man=no "$dir/verimaild.service" "$dir/verimaild.socket"
said=$(systemd-analyze security --offline=yes --threshold=15 "$dir/verimaild.service") || { printf '%s\n' "$said" >&2; exit 1; }
echo "verimaild.service, verimaild.socket: fine; $(printf '%s' "$said" | grep -o 'exposure level.*: [0-9.]*')"

if command -v systemd-sysusers >/dev/null; then
	# An empty root: whether this machine has the user already makes no difference.
	mkdir -p "$dir/root/etc"
	said=$(systemd-sysusers --root="$dir/root" "$here/verimaild.sysusers.conf" 2>&1) || { printf '%s\n' "$said" >&2; exit 1; }
	grep -q '^verimaild:' "$dir/root/etc/passwd"
	grep -q '^verimaild:' "$dir/root/etc/group"
	echo "verimaild.sysusers.conf: fine"
	if command -v systemd-tmpfiles >/dev/null && [ "$(id -u)" = 0 ]; then
		quietly systemd-tmpfiles --root="$dir/root" --create "$here/verimaild.tmpfiles.conf"
		test -d "$dir/root/run/verimaild"
		echo "verimaild.tmpfiles.conf: fine"
	fi
fi
