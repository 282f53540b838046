//go:build interop

package interop

import (
	"fmt"
	"net/netip"
	"path"
	"testing"
)

// postfixPackages are Postfix and the libraries it needs.
var postfixPackages = []string{
	"postfix", "libc6", "libcom-err2", "libcrypt1", "libdb5.3", "libgcc-s1", "libgssapi-krb5-2", "libicu72", "libk5crypto3",
	"libkeyutils1", "libkrb5-3", "libkrb5support0", "libnsl2", "libsasl2-2", "libssl3", "libstdc++6", "libtirpc3",
}

const (
	postfixUID   = 101
	postdropGID  = 102
	postfixUsers = "postfix:x:101:101::/var/spool/postfix:/bin/false\n"
	postfixGroup = "postfix:x:101:\npostdrop:x:102:\n"
)

// postfixMain is Debian's main.cf (/usr/share/postfix/main.cf.debian) for a server of virtual mailboxes. mynetworks
// makes us a stranger; no other limit is touched.
const postfixMain = `compatibility_level = 3.6
smtpd_banner = $myhostname ESMTP $mail_name (Debian/GNU)
biff = no
append_dot_mydomain = no
myhostname = %[1]s
mydestination =
mynetworks = 192.0.2.0/24
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
alias_maps =
alias_database =
virtual_mailbox_domains = texthash:/etc/postfix/domains
virtual_mailbox_maps = texthash:/etc/postfix/mailboxes
virtual_mailbox_base = /var/mail
virtual_uid_maps = static:65534
virtual_gid_maps = static:65534
smtpd_recipient_restrictions = check_recipient_access texthash:/etc/postfix/access
%[2]s`

// postfixMaster is the part of Debian's master.cf that a receiving server needs.
const postfixMaster = `%[1]s inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
proxymap unix - - n - - proxymap
retry unix - - n - - error
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
%[2]s`

// A postfix is what differs between one Postfix and another.
type postfix struct {
	host    string // Its name.
	addr    netip.AddrPort
	domains string // texthash tables.
	mailbox string
	access  string
	files   map[string]string
	main    string // More of main.cf.
	master  string // More of master.cf.
}

// startPostfix runs a Postfix until the test ends, and returns its root.
func startPostfix(t testing.TB, n *network, p postfix) *root {
	t.Helper()
	r := newRoot(t, postfixPackages, postfixUsers, postfixGroup)
	runPostfix(t, n, r, p)
	return r
}

// runPostfix does so in a root that is there.
func runPostfix(t testing.TB, n *network, r *root, p postfix) {
	t.Helper()
	makePostfixSpool(t, r)
	r.write(t, "etc/hosts", n.hostsFile())
	r.write(t, "etc/postfix/domains", p.domains)
	r.write(t, "etc/postfix/mailboxes", p.mailbox)
	r.write(t, "etc/postfix/access", p.access)
	for name, text := range p.files {
		r.write(t, name, text)
	}
	r.write(t, "etc/postfix/main.cf", fmt.Sprintf(postfixMain, p.host, p.main))
	r.write(t, "etc/postfix/master.cf", fmt.Sprintf(postfixMaster, p.addr, p.master))
	r.start(t, "/usr/lib/postfix/sbin/master", "-i")
	n.waitForGreeting(t, r, p.addr)
}

// makePostfixSpool does what Postfix's own post-install script would.
func makePostfixSpool(t testing.TB, r *root) {
	t.Helper()
	const spool = "var/spool/postfix"
	for _, d := range []string{"active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace"} {
		r.mkdir(t, path.Join(spool, d), 0o700, postfixUID, 0)
	}
	r.mkdir(t, path.Join(spool, "maildrop"), 0o730, postfixUID, postdropGID)
	r.mkdir(t, path.Join(spool, "public"), 0o710, postfixUID, postdropGID)
	r.mkdir(t, path.Join(spool, "pid"), 0o755, 0, 0)
	r.mkdir(t, "var/lib/postfix", 0o755, postfixUID, postfixUID)
}
