package verify

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/verimails/verimaild/internal/store"
	"github.com/verimails/verimaild/verify/address"
	"github.com/verimails/verimaild/verify/verdict"
)

// A ticketFile is the tickets on disk, in the durable store: who was put off would otherwise be asked about too early
// after a restart, from another source perhaps. A ticket holds an address, so keys are keyed hashes, and values are
// encrypted (AES-256-GCM) with a key that is derived from the key file.
type ticketFile struct {
	records *store.Records[[]byte]
	macKey  []byte
	aead    cipher.AEAD
}

// ticketPrefix is the record set's.
const ticketPrefix = "ticket/"

func openTicketFile(stores *store.Stores) (*ticketFile, error) {
	records, err := store.NewRecords(stores.State(), ticketPrefix, store.Codec[[]byte]{
		Encode: func(dst, v []byte) []byte { return append(dst, v...) },
		Decode: func(b []byte) ([]byte, error) { return b, nil },
	})
	if err != nil {
		return nil, fmt.Errorf("verify: tickets: %w", err)
	}
	key := stores.Key(store.Tickets)
	f := &ticketFile{records: records, macKey: mac(key[:], "keys")}
	block, err := aes.NewCipher(mac(key[:], "values"))
	if err == nil {
		f.aead, err = cipher.NewGCMWithRandomNonce(block)
	}
	if err != nil {
		return nil, fmt.Errorf("verify: tickets: %w", err)
	}
	return f, nil
}

// mac is a keyed hash of a text, 32 octets.
func mac(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

func (f *ticketFile) key(a address.Address) []byte { return mac(f.macKey, a.Key())[:16] }

// write queues t for the disk.
func (f *ticketFile) write(t *ticket, ttl time.Duration) error {
	key := f.key(t.addr)
	return f.records.TryPut(key, f.aead.Seal(nil, nil, encodeTicket(t), key), max(ttl, time.Second)) //nolint:gosec // G407: this AEAD makes its nonces itself.
}

// erase removes a's ticket. It is overwritten with nothing for a second, since a deletion would be waited for.
func (f *ticketFile) erase(a address.Address) error {
	return f.records.TryPut(f.key(a), nil, time.Second)
}

// all reads the tickets. One that can't be read is an error, and the next one follows.
func (f *ticketFile) all() iter.Seq2[*ticket, error] {
	return func(yield func(*ticket, error) bool) {
		for item, err := range f.records.Scan(store.Range{}) {
			if err == nil && len(item.Value) == 0 {
				continue // Erased.
			}
			var t *ticket
			if err == nil {
				t, err = f.open(item.Key, item.Value)
			}
			if !yield(t, err) {
				return
			}
		}
	}
}

func (f *ticketFile) open(key, value []byte) (*ticket, error) {
	plain, err := f.aead.Open(nil, nil, value, key)
	if err != nil {
		return nil, fmt.Errorf("ticket %x: %w", key, err)
	}
	return decodeTicket(plain)
}

// ticketVersion begins a ticket's encoding.
const ticketVersion = 1

// maxTicketSize is how long an encoded ticket may be. A longer one goes without its dialogues.
const maxTicketSize = 32 << 10

// storedTicket is a ticket as JSON.
type storedTicket struct {
	Address    string             `json:"address"`
	Source     string             `json:"source"`
	Sender     string             `json:"sender"`
	First      time.Time          `json:"first"`
	Visits     int                `json:"visits"`
	Due        time.Time          `json:"due"`
	Spent      bool               `json:"spent,omitempty"`
	Control    bool               `json:"control,omitempty"`
	Reason     verdict.Reason     `json:"reason"`
	CheckedAt  time.Time          `json:"checked_at"`
	Provider   string             `json:"provider,omitempty"`
	MX         []verdict.MX       `json:"mx,omitempty"`
	ImplicitMX verdict.Tri        `json:"implicit_mx,omitempty"`
	Evidence   []verdict.Evidence `json:"evidence,omitempty"`
}

func encodeTicket(t *ticket) []byte {
	s := storedTicket{
		Address: t.addr.String(), Source: t.source, Sender: t.sender, First: t.first.UTC(), Visits: t.visits, Due: t.due.UTC(),
		Spent: t.spent, Control: t.control, Reason: t.reason, CheckedAt: t.checkedAt.UTC(), Provider: t.provider,
		MX: t.mx, ImplicitMX: t.implicitMX, Evidence: t.evidence,
	}
	b := s.encode()
	if len(b) <= maxTicketSize {
		return b
	}
	s.Evidence = make([]verdict.Evidence, len(t.evidence))
	for i, e := range t.evidence {
		e.Dialogue = nil
		s.Evidence[i] = e
	}
	if b = s.encode(); len(b) > maxTicketSize {
		s.Evidence = nil
		b = s.encode()
	}
	return b
}

func (s *storedTicket) encode() []byte {
	b, err := json.Marshal(s)
	if err != nil {
		panic("verify: a ticket can't be encoded: " + err.Error()) // Only for a type that has no JSON.
	}
	return append([]byte{ticketVersion}, b...)
}

// errTicket says that a stored ticket is not one.
var errTicket = errors.New("verify: not a ticket")

// decodeTicket reads what encodeTicket wrote. It takes any bytes.
func decodeTicket(b []byte) (*ticket, error) {
	if len(b) == 0 || b[0] != ticketVersion || len(b) > maxTicketSize {
		return nil, errTicket
	}
	var s storedTicket
	if err := json.Unmarshal(b[1:], &s); err != nil {
		return nil, fmt.Errorf("%w: %w", errTicket, err)
	}
	a, err := address.Parse(s.Address)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errTicket, err)
	}
	switch {
	case s.Visits < 1, s.Visits > len(visitWaits)+1, s.Source == "":
		return nil, errTicket
	case s.Due.After(s.First.Add(spentLife + minRepeat)), s.Due.Before(s.First):
		return nil, errTicket
	case !ofTicket(s.Reason):
		return nil, errTicket
	}
	return &ticket{
		addr: a, source: s.Source, sender: s.Sender, first: s.First, visits: s.Visits, due: s.Due, spent: s.Spent,
		control: s.Control, reason: s.Reason, checkedAt: s.CheckedAt, provider: s.Provider, mx: s.MX,
		implicitMX: s.ImplicitMX, evidence: s.Evidence,
	}, nil
}

// ofTicket reports whether r may be the answer of a ticket: nothing but "unknown" is.
func ofTicket(r verdict.Reason) bool {
	return r == verdict.Greylisted || r == verdict.ServerTempfail || r == verdict.PersistentTempfail
}
