package address

import "slices"

// wellKnown are the mail domains that are suggested, those with more users first: it settles ties.
// Left out on purpose are names that are short or ordinary words (sky.com, free.fr, orange.fr, rogers.com, mail.com):
// too many real domains are one letter away from them. It is never changed.
var wellKnown = [...]string{
	"gmail.com", "hotmail.com", "yahoo.com", "outlook.com", "icloud.com", "googlemail.com",
	"protonmail.com", "proton.me", "fastmail.com", "rocketmail.com", "hushmail.com", "tutanota.com",

	"hotmail.co.uk", "hotmail.fr", "hotmail.de", "hotmail.it", "hotmail.es", "hotmail.nl", "hotmail.be", "hotmail.ca",
	"hotmail.com.br", "hotmail.com.ar",
	"yahoo.co.uk", "yahoo.fr", "yahoo.de", "yahoo.it", "yahoo.es", "yahoo.ca", "yahoo.in", "yahoo.co.in", "yahoo.co.jp", "yahoo.co.id",
	"yahoo.com.br", "yahoo.com.ar", "yahoo.com.mx", "yahoo.com.au", "yahoo.com.ph", "yahoo.com.tw", "yahoo.com.hk", "yahoo.com.sg",
	"outlook.fr", "outlook.de", "outlook.it", "outlook.es", "outlook.be", "outlook.pt", "outlook.com.br",

	"t-online.de", "freenet.de",
	"wanadoo.fr", "laposte.net",
	"libero.it", "virgilio.it", "tiscali.it",
	"btinternet.com", "virginmedia.com", "ntlworld.com", "talktalk.net", "blueyonder.co.uk", "tiscali.co.uk",
	"bluewin.ch", "telenet.be", "skynet.be", "ziggo.nl",
	"comcast.net", "verizon.net", "sbcglobal.net", "bellsouth.net", "earthlink.net", "mindspring.com", "windstream.net",
	"centurylink.net", "suddenlink.net", "roadrunner.com", "optonline.net",
	"sympatico.ca", "videotron.ca",
	"bigpond.com", "bigpond.net.au", "optusnet.com.au", "ozemail.com.au",
	"yandex.ru", "yandex.com", "rambler.ru", "seznam.cz",
	"rediffmail.com", "hanmail.net", "naver.com", "docomo.ne.jp",
}

// isReal reports whether a domain that resembles a well-known one is meant as it stands.
func isReal(name string) bool {
	switch name {
	case "ymail.com", "email.com", "mail.com", "prontomail.com", "earthling.net", "hanmail2.net", // Mail providers of their own.
		"libro.it", "liber.it", "liberto.it", "nave.com", "photon.me", "roadrunners.com", "simpatico.ca", "telnet.be": // Words.
		return true
	}
	return slices.Contains(wellKnown[:], name)
}

// hasSingleHome reports whether the owner of a well-known domain has no mail domain of the same name under .co, .cm or .om.
func hasSingleHome(target string) bool {
	switch target {
	case "gmail.com", "hotmail.com", "yahoo.com", "outlook.com", "icloud.com", "googlemail.com", "protonmail.com":
		return true
	}
	return false
}

// slipOf is the top-level domain that a non-existent one is a slip for; "" if none comes to mind.
func slipOf(tld string) string {
	switch tld {
	case "con", "cpm", "cmo", "ocm", "comm", "coom", "ccom", "comn", "conm", "cok", "cim", "vom", "xom", "c0m", "coml", "como":
		return "com"
	case "nte", "ent", "nett", "met", "ner", "ney":
		return "net"
	case "ogr", "orgg", "rog", "orh", "prg":
		return "org"
	case "infp", "ifno", "inof":
		return "info"
	}
	return ""
}
