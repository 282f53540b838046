package store

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// keyLen is the length of the key file.
const keyLen = 32

// A Purpose names what a key is for. Keys of different purposes tell nothing about each other.
type Purpose string

// The purposes.
const (
	AddressHashes Purpose = "verimaild address hashes v1" // Keys of remembered addresses and domains.
	ControlNames  Purpose = "verimaild control names v1"  // Local-parts of made-up recipients.
	Tickets       Purpose = "verimaild tickets v1"        // Encryption of greylist tickets.
	LogHashes     Purpose = "verimaild log hashes v1"     // What stands for an address in the log.
)

// keyIDPurpose is what the mark of a key in the cache store is derived for.
const keyIDPurpose Purpose = "verimaild key id v1"

// masterKey is the content of the key file.
type masterKey [keyLen]byte

// Key is the key for a purpose, derived from the key file by HKDF (RFC 5869) with SHA-256.
func (s *Stores) Key(p Purpose) [32]byte { return s.key.derive(p) }

func (k masterKey) derive(p Purpose) [32]byte {
	// HKDF fails only when more than 255 hashes' worth of key is wanted.
	b, err := hkdf.Key(sha256.New, k[:], nil, string(p), keyLen)
	if err != nil {
		panic(fmt.Sprintf("store: derive a key of %d bytes: %v", keyLen, err))
	}
	return [32]byte(b)
}

// id marks a store as written with this key, and tells nothing of the key.
func (k masterKey) id() []byte {
	d := k.derive(keyIDPurpose)
	return d[:8]
}

// newKey makes a key.
func newKey() (masterKey, error) {
	var k masterKey
	if _, err := rand.Read(k[:]); err != nil {
		return k, fmt.Errorf("make a key: %w", err)
	}
	return k, nil
}

// loadKey reads the key file, or makes one. The caller holds the directory's lock.
func loadKey(path string) (key masterKey, made bool, err error) {
	key, err = readKey(path)
	if !errors.Is(err, fs.ErrNotExist) {
		return key, false, err
	}
	if key, err = newKey(); err != nil {
		return key, false, err
	}
	return key, true, writeKey(path, key)
}

// readKey reads the key file and refuses one that others may have read or written.
func readKey(path string) (key masterKey, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0) //nolint:gosec // G304: in the state directory.
	if err != nil {
		if errors.Is(err, syscall.ELOOP) {
			return key, &DirError{Path: path, Problem: "is a symbolic link where the key file belongs; remove it"}
		}
		return key, fmt.Errorf("read the key file: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	fi, err := f.Stat()
	if err != nil {
		return key, fmt.Errorf("read the key file: %w", err)
	}
	if err := checkKeyFile(path, fi); err != nil {
		return key, err
	}
	if _, err := io.ReadFull(f, key[:]); err != nil {
		return key, fmt.Errorf("read the key file: %w", err)
	}
	return key, nil
}

func checkKeyFile(path string, fi fs.FileInfo) error {
	if !fi.Mode().IsRegular() {
		return &DirError{Path: path, Problem: "is " + kindOf(fi.Mode()) + " where the key file belongs; remove it"}
	}
	if err := checkOwner(path, fi); err != nil {
		return err
	}
	if fi.Mode().Perm()&0o077 != 0 {
		return &DirError{Path: path, Problem: fmt.Sprintf("others may read the key (mode %04o); chmod 0600 it, or remove it to start with a new key and an empty cache", fi.Mode().Perm())}
	}
	if fi.Size() != keyLen {
		return &DirError{Path: path, Problem: fmt.Sprintf("the key is %d bytes long and must have %d; restore it, or remove it to start with a new key and an empty cache", fi.Size(), keyLen)}
	}
	return nil
}

// writeKey makes the key file: after power loss there is either none or a whole one.
func writeKey(path string, key masterKey) (err error) {
	tmp := path + ".new"
	// A start that was cut short may have left one; the lock says that nobody else is writing it.
	if err := os.Remove(tmp); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("make the key file: %w", err)
	}
	f, err := os.OpenFile(tmp, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600) //nolint:gosec // G304: in the state directory.
	if err != nil {
		return fmt.Errorf("make the key file: %w", err)
	}
	_, err = f.Write(key[:])
	if err := errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("make the key file: %w", errors.Join(err, os.Remove(tmp)))
	}
	if err := os.Rename(tmp, path); err != nil {
		return fmt.Errorf("make the key file: %w", err)
	}
	return syncDir(filepath.Dir(path))
}
