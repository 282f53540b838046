//go:build interop

package interop

import (
	"fmt"
	"net/netip"
	"regexp"
	"strings"
	"testing"
)

// eximPackages are Exim, Debian's light build, and the libraries it needs.
var eximPackages = []string{
	"exim4-daemon-light", "libc6", "libcom-err2", "libcrypt1", "libdb5.3", "libevent-2.1-7", "libffi8", "libgcc-s1", "libgmp10",
	"libgnutls-dane0", "libgnutls30", "libgssapi-krb5-2", "libhogweed6", "libidn12", "libidn2-0", "libk5crypto3",
	"libkeyutils1", "libkrb5-3", "libkrb5support0", "libnettle8", "libnsl2", "libp11-kit0", "libpcre2-8-0", "libssl3",
	"libtasn1-6", "libtirpc3", "libunbound8", "libunistring2",
}

const (
	eximUID    = 101
	eximUsers  = "Debian-exim:x:101:101::/var/spool/exim4:/bin/false\n"
	eximGroups = "Debian-exim:x:101:\n"
)

// eximConfig is an Exim of virtual domains. The ACL for RCPT says what Debian's does, in its words and order; the limits
// are Exim's own; relay_from_hosts makes us a stranger. Each ACL first notes in the log that its command came.
const eximConfig = `primary_hostname = %[1]s
local_interfaces = %[2]s
daemon_smtp_ports = %[3]d
tls_certificate = /etc/exim4/cert.pem
host_lookup = *
host_lookup_order = byaddr
log_file_path = syslog
syslog_timestamp = false
syslog_duplication = false
log_selector = +all -pid
keep_environment =
notifier_socket =
domainlist local_domains = lsearch;/etc/exim4/domains
domainlist relay_to_domains =
hostlist relay_from_hosts =
acl_smtp_helo = acl_helo
acl_smtp_starttls = acl_starttls
acl_smtp_mail = acl_mail
acl_smtp_rcpt = acl_check_rcpt
acl_smtp_predata = acl_data
acl_smtp_data = acl_data
acl_smtp_vrfy = acl_vrfy
acl_smtp_quit = acl_quit
acl_smtp_notquit = acl_notquit
%[4]s

begin acl

acl_helo:
  accept logwrite = saw ehlo
acl_starttls:
  accept logwrite = saw starttls
acl_mail:
  accept logwrite = saw mail
acl_data:
  accept logwrite = saw data
acl_vrfy:
  accept logwrite = saw vrfy
acl_quit:
  accept logwrite = saw quit after $smtp_command_history
acl_notquit:
  accept logwrite = saw notquit ($smtp_notquit_reason)

acl_check_rcpt:
  warn
    logwrite = saw rcpt
%[5]s
  deny
    domains = +local_domains
    local_parts = ^[.] : ^.*[@%%!/|` + "`" + `#&?]
    message = restricted characters in address
  deny
    condition = ${if and {{>{$rcpt_count}{10}} {<{$recipients_count}{${eval:$rcpt_count/2}}} }}
    message = Rejected for too many bad recipients
  accept
    hosts = +relay_from_hosts
  require
    message = relay not permitted
    domains = +local_domains : +relay_to_domains
  require
    verify = recipient
  accept

begin routers

virtual:
  driver = redirect
  domains = +local_domains
  data = ${lookup{$local_part@$domain}lsearch*@{/etc/exim4/virtual}}
  local_part_suffix = +*
  local_part_suffix_optional
  allow_fail
  allow_defer
`

// An exim is what differs between one Exim and another.
type exim struct {
	host    string // Its name.
	addr    netip.AddrPort
	domains string // A line each.
	virtual string // Local-part@domain: what becomes of it.
	main    string // More of the main section.
	rcpt    string // What the ACL for RCPT asks first.
}

// startExim runs an Exim until the test ends, and returns its root.
func startExim(t testing.TB, n *network, e exim) *root {
	t.Helper()
	r := newRoot(t, eximPackages, eximUsers, eximGroups)
	runExim(t, n, r, e)
	return r
}

// runExim does so in a root that is there.
func runExim(t testing.TB, n *network, r *root, e exim) {
	t.Helper()
	r.mkdir(t, "var/spool/exim4", 0o750, eximUID, eximUID)
	r.write(t, "etc/hosts", n.hostsFile()+e.addr.Addr().String()+" "+e.host+"\n")
	r.writeMode(t, "etc/exim4/cert.pem", selfSigned(t, e.host), 0o640)
	r.own(t, "etc/exim4/cert.pem", 0, eximUID)
	r.write(t, "etc/exim4/domains", e.domains)
	r.write(t, "etc/exim4/virtual", e.virtual)
	r.write(t, "etc/exim4/exim4.conf", fmt.Sprintf(eximConfig, e.host, e.addr.Addr(), e.addr.Port(), e.main, e.rcpt))
	r.start(t, "/usr/sbin/exim4", "-bdf", "-oP", "/run/exim.pid")
	n.waitForGreeting(t, r, e.addr)
}

// eximLine is a line of Exim's log. It has a process for each session.
var eximLine = regexp.MustCompile(`^exim(?:4)?\[(\d+)\]: (.*)`)

// eximRefused is the line about a refused recipient.
var eximRefused = regexp.MustCompile(`(?:^| )(?:temporarily )?rejected RCPT `)

// eximSessions waits until the log has the end of every session of client, and returns them.
func eximSessions(t testing.TB, log *systemLog, client netip.Addr) []session {
	t.Helper()
	var all map[string]*session
	log.wait(t, "the end of our sessions", func(lines []string) bool {
		all = parseExim(lines, client)
		for _, s := range all {
			if s.commands["quit"] == 0 && !s.cut {
				return false
			}
		}
		return len(all) > 0
	})
	var sessions []session
	for _, s := range all {
		sessions = append(sessions, *s)
	}
	return sessions
}

// parseExim sorts the lines by process, and reads the sessions of client from them.
func parseExim(lines []string, client netip.Addr) map[string]*session {
	sessions := make(map[string]*session)
	for _, line := range lines {
		m := eximLine.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		pid, text := m[1], m[2]
		s := sessions[pid]
		if s == nil {
			s = &session{commands: make(map[string]int)}
			sessions[pid] = s
		}
		s.log += line + "\n"
		if verb, ok := strings.CutPrefix(text, "saw "); ok {
			verb, _, _ = strings.Cut(verb, " ")
			s.commands[verb]++
			s.cut = s.cut || verb == "notquit"
		}
		if eximRefused.MatchString(text) {
			s.refused++
		}
	}
	for pid, s := range sessions { // The daemon's own process has no commands; a bystander looked whether it is up.
		if len(s.commands) == 0 || !strings.Contains(s.log, "["+client.String()+"]") {
			delete(sessions, pid)
		}
	}
	return sessions
}
