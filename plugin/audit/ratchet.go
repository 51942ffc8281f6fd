package audit

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"hash"
)

// Key is a key of the macs: the one of an epoch makes those of all later ones
// and of no earlier one.
type Key [sha256.Size]byte

const ratchetLabel = "phigate decision log ratchet v1\n"

// next is the key of the epoch after.
func (k Key) next() Key {
	var b [len(ratchetLabel) + sha256.Size]byte
	copy(b[:], ratchetLabel)
	copy(b[len(ratchetLabel):], k[:])
	return sha256.Sum256(b[:])
}

// after is the key n epochs later.
func (k Key) after(n uint64) Key {
	for range n {
		k = k.next()
	}
	return k
}

// maccer makes the macs of one epoch.
type maccer struct{ hash.Hash }

func newMaccer(k Key) maccer { return maccer{hmac.New(sha256.New, k[:])} }

// sum appends the mac over seq, epoch and payload to out.
func (m maccer) sum(out []byte, seq, epoch uint64, payload []byte) []byte {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], seq)
	binary.BigEndian.PutUint64(b[8:], epoch)
	m.Reset()
	m.Write(b[:])
	m.Write(payload)
	return m.Sum(out)
}
