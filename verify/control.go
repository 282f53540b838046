package verify

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"strconv"
)

// controlPath is the nth made-up recipient of a domain: derived from the domain and a secret of this host, so that a
// greylist sees the same triplet again and nobody else can guess it; and speakable, so that no filter takes it for
// random. Seven of 100 syllables and two digits hold 53 bits.
func controlPath(secret []byte, domain string, n int) string {
	mac := hmac.New(sha256.New, secret)
	mac.Write([]byte("control " + strconv.Itoa(n) + " " + domain))
	seed := mac.Sum(nil)
	const consonants, vowels, syllables = "bcdfghjklmnprstvwxyz", "aeiou", 7
	name := make([]byte, 0, 2*syllables+2)
	x := binary.BigEndian.Uint64(seed)
	for range syllables {
		name = append(name, consonants[x%20], vowels[x/20%5])
		x /= 100
	}
	y := binary.BigEndian.Uint16(seed[8:])
	name = append(name, '0'+byte(y%10), '0'+byte(y/10%10))
	return string(name) + "@" + domain
}
