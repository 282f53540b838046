package mailworld

import (
	"bufio"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"time"
)

// answerUDP answers datagrams until the socket is closed.
func (w *World) answerUDP(c *net.UDPConn) {
	buf := make([]byte, 64<<10)
	for {
		n, from, err := c.ReadFromUDPAddrPort(buf)
		if err != nil {
			if w.running() && w.sleep(acceptPause) { // ICMP errors of earlier answers surface here.
				continue
			}
			return
		}
		from = netip.AddrPortFrom(from.Addr().Unmap(), from.Port())
		w.sendUDP(c, from, w.answer(buf[:n], "udp", from))
	}
}

// sendUDP sends an answer, if there is one, when it is due.
func (w *World) sendUDP(c *net.UDPConn, to netip.AddrPort, a answer) {
	if a.msg == nil {
		return
	}
	send := func() { _, _ = c.WriteToUDPAddrPort(a.msg, to) } // A client that is gone is none of our business.
	late := a.wait + w.spec.RTT
	if late == 0 {
		send()
		return
	}
	w.spawn(nil, func() {
		if w.sleep(late) {
			send()
		}
	})
}

// acceptDNS serves DNS over TCP until the listener is closed.
func (w *World) acceptDNS(l *net.TCPListener) {
	for {
		c, err := l.AcceptTCP()
		if err != nil {
			if w.running() && w.sleep(acceptPause) {
				continue
			}
			return
		}
		source := c.RemoteAddr().(*net.TCPAddr).AddrPort()
		w.spawn(c, func() { w.answerTCP(c, source, w.spec.RTT) })
	}
}

// answerTCP answers the queries on one connection, RFC 1035 §4.2.2, in turn. Each answer is late by rtt.
func (w *World) answerTCP(c net.Conn, client netip.AddrPort, rtt time.Duration) {
	r := bufio.NewReader(c)
	for {
		var size [2]byte
		if _, err := io.ReadFull(r, size[:]); err != nil {
			return
		}
		packet := make([]byte, binary.BigEndian.Uint16(size[:]))
		if _, err := io.ReadFull(r, packet); err != nil {
			return
		}
		a := w.answer(packet, "tcp", client)
		if !w.sleep(a.wait + rtt) {
			return
		}
		if a.msg == nil {
			continue
		}
		if _, err := c.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(a.msg))), a.msg...)); err != nil { //nolint:gosec // G115: a message has at most 64 KiB.
			return
		}
	}
}
