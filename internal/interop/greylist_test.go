//go:build interop

package interop

import (
	"fmt"
	"slices"
	"testing"
	"time"
)

// sqlgreyPackages are SQLgrey, what it needs beside Perl, and its database.
var sqlgreyPackages = []string{
	"sqlgrey", "libbit-vector-perl", "libcarp-clan-perl", "libdate-calc-perl", "libdbd-sqlite3-perl", "libdbi-perl", "libsqlite3-0",
}

// greylistdPackages are greylistd, and Python.
var greylistdPackages = []string{
	"greylistd", "python3-minimal", "python3.11-minimal", "libpython3.11-minimal", "libpython3.11-stdlib", "libexpat1",
	"libbz2-1.0", "liblzma5", "zlib1g",
}

// TestSQLgrey asks a Postfix with SQLgrey, another make of greylist: it names its delay, and waits 5 minutes by default.
func TestSQLgrey(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	addr, policy := n.addHost("mx.sqlgrey.test", "sqlgrey.test"), n.addHost("sqlgrey")
	p := postfix{
		host: "mx.sqlgrey.test", addr: addr, domains: "sqlgrey.test x\n",
		mailbox: "ada@sqlgrey.test x\nbob@sqlgrey.test x\n",
		main: "smtpd_recipient_restrictions = reject_unauth_destination, reject_unlisted_recipient, " +
			fmt.Sprintf("check_policy_service inet:%s\n", policy),
	}
	r := newRoot(t, slices.Compact(slices.Sorted(slices.Values(slices.Concat(postfixPackages, postgreyPackages, sqlgreyPackages)))),
		postfixUsers+"sqlgrey:x:111:111::/var/lib/sqlgrey:/bin/false\n", postfixGroup+"sqlgrey:x:111:\n")
	r.mkdir(t, "var/lib/sqlgrey", 0o700, 111, 111)
	r.write(t, "etc/sqlgrey/sqlgrey.conf", fmt.Sprintf("inet = %s\ndb_type = SQLite\ndb_name = /var/lib/sqlgrey/sqlgrey.db\n"+
		"user = sqlgrey\ngroup = sqlgrey\nconf_dir = /etc/sqlgrey\nadmin_mail =\n", policy))
	r.start(t, "/usr/bin/perl", "/usr/sbin/sqlgrey")
	r.waitForListener(t, policy)
	runPostfix(t, n, r, p)
	s := askGreylist(t, n, "sqlgrey.test", 5*time.Minute)
	s.server, s.version, s.sessions = "Postfix with SQLgrey", version(t, "sqlgrey"), postfixSessions(t, r.log, n.source())
	checkManners(t, s.sessions, manners{questions: 3, maxRefused: 3, maxSessions: 4})
	s.write(t)
}

// greylistdACL is what greylistd's own documentation puts into Exim's ACL.
const greylistdACL = `  defer
    message = $sender_host_address is not yet authorized to deliver mail from <$sender_address> to <$local_part@$domain>. Please try later.
    log_message = greylisted.
    !senders = :
    domains = +local_domains
    verify = recipient
    condition = ${readsocket{/run/greylistd/socket}{--grey ${mask:$sender_host_address/24} $sender_address $local_part@$domain}{5s}{}{false}}
`

// TestGreylistd asks an Exim with greylistd, which wants 10 minutes but does not say so.
func TestGreylistd(t *testing.T) {
	t.Parallel()
	n := newNetwork(t)
	addr := n.addHost("mx.greylistd.test", "greylistd.test")
	r := newRoot(t, slices.Compact(slices.Sorted(slices.Values(slices.Concat(eximPackages, greylistdPackages)))),
		eximUsers+"greylist:x:112:112::/var/lib/greylistd:/bin/false\n", eximGroups+"greylist:x:112:\n")
	r.mkdir(t, "var/lib/greylistd", 0o755, 112, 112)
	r.mkdir(t, "run/greylistd", 0o755, 112, 112)
	r.write(t, "etc/greylistd/config", "[timeouts]\nretryMin = 600\n[socket]\npath = /run/greylistd/socket\nmode = 0666\n"+
		"[data]\nstatefile = /var/lib/greylistd/states\ntripletfile = /var/lib/greylistd/triplets\n")
	r.start(t, "/usr/bin/python3.11", "/usr/sbin/greylistd")
	r.waitForFile(t, "run/greylistd/socket")
	runExim(t, n, r, exim{
		host: "mx.greylistd.test", addr: addr, domains: "greylistd.test\n",
		virtual: "ada@greylistd.test: :blackhole:\nbob@greylistd.test: :blackhole:\n", rcpt: greylistdACL,
	})
	s := askGreylist(t, n, "greylistd.test", 5*time.Minute)
	s.server, s.version, s.sessions = "Exim with greylistd", version(t, "greylistd"), eximSessions(t, r.log, n.source())
	checkManners(t, s.sessions, manners{questions: 3, maxRefused: 3, maxSessions: 4})
	s.write(t)
}

// askGreylist asks a domain that greylists ada and bob, and knows nobody else.
func askGreylist(t *testing.T, n *network, domain string, delay time.Duration) section {
	t.Helper()
	d := startDaemon(t, n, "")
	began := time.Now()
	questions := []question{
		{"known", "ada@" + domain, "unknown/greylisted/address"},
		{"known", "bob@" + domain, "unknown/greylisted/address"},
		{"unknown", "nobody@" + domain, "undeliverable/mailbox_not_found/address"},
	}
	answers := askAll(t, d, questions)
	for _, a := range answers[:2] {
		if got := a.RetryAt.Sub(began); got < delay {
			t.Errorf("verify(%q).retry_at is in %v; the greylist wants %v", a.Email, got, delay)
		}
	}
	d.stop(t)
	return section{questions: questions, answers: answers}
}
