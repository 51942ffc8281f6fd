package audit

import (
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

// maccer makes the macs of one epoch after the other: HMAC-SHA-256 (RFC 2104), the
// key being shorter than a block. It is crypto/hmac without what that allocates for
// each key, which is most of the work where each record is a batch of its own.
type maccer struct {
	hash         hash.Hash
	inner, outer [sha256.BlockSize]byte
	place        [16]byte // seq and epoch
	mac          [sha256.Size]byte
}

func newMaccer(k Key) *maccer {
	m := &maccer{hash: sha256.New()}
	m.use(k)
	return m
}

// use goes on with the key of another epoch.
func (m *maccer) use(k Key) {
	for i := range m.inner {
		m.inner[i], m.outer[i] = 0x36, 0x5c
	}
	for i, b := range k {
		m.inner[i] ^= b
		m.outer[i] ^= b
	}
}

// sum appends the mac over seq, epoch and payload to out.
func (m *maccer) sum(out []byte, seq, epoch uint64, payload []byte) []byte {
	binary.BigEndian.PutUint64(m.place[:8], seq)
	binary.BigEndian.PutUint64(m.place[8:], epoch)
	return append(out, m.over(m.place[:], payload)...)
}

// over is the mac over a record's place and its payload, valid until the next one.
func (m *maccer) over(place, payload []byte) []byte {
	m.hash.Reset()
	m.hash.Write(m.inner[:])
	m.hash.Write(place)
	m.hash.Write(payload)
	m.hash.Sum(m.mac[:0])
	m.hash.Reset()
	m.hash.Write(m.outer[:])
	m.hash.Write(m.mac[:])
	return m.hash.Sum(m.mac[:0])
}
