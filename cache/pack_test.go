package cache

import "github.com/verimails/verimaild/verify/address"

// What follows is records as they are stored.

func packMailbox(r *mailboxRecord, a address.Address) []byte { return pack(encodeMailbox(r, a)) }
func packFact(r *factRecord) []byte                          { return pack(encodeFact(r)) }
func packHosts(r *hostsRecord) []byte                        { return pack(encodeHosts(r)) }

func unpackMailbox(value []byte, a address.Address) (*mailboxRecord, error) {
	body, err := unpack(value)
	if err != nil {
		return nil, err
	}
	return decodeMailboxOf(a, body)
}

func unpackFact(value []byte) (*factRecord, error)   { return unpackWith(value, decodeFact) }
func unpackHosts(value []byte) (*hostsRecord, error) { return unpackWith(value, decodeHosts) }

func unpackWith[R any](value []byte, decode func(body []byte) (*R, error)) (*R, error) {
	body, err := unpack(value)
	if err != nil {
		return nil, err
	}
	return decode(body)
}
