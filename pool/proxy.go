package pool

// A Proxy is a SOCKS5 server, RFC 1928. The zero Proxy is none.
type Proxy struct {
	Addr           string // host:port.
	User, Password string // RFC 1929; empty if it asks for none.
}
