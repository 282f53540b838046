// Package smtp speaks the client side of SMTP, RFC 5321, on one connection, as far as RCPT, and reports exactly what
// the server said.
//
// A [Session] is opened over a connection that the caller dialled, runs transactions made of MAIL, RCPT and RSET, and
// ends with QUIT. The package holds no command that moves or asks for a message: DATA, BDAT, VRFY, EXPN and NOOP do
// not occur in it, and neither does the null reverse-path.
//
// What a reply means is not judged here. What is judged is whether replies and commands are still in step: a session
// of which that is not certain is dead, and its error says whether answers already reported are in doubt.
package smtp
