package expand

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"hash"
	"hash/crc32"
	"hash/crc64"
)

// xzSum is the check of a block's content: 2.1.1.2.
type xzSum struct {
	hash   hash.Hash // nil: none, or of a kind that is not known
	little bool      // it is stored in little-endian order
}

func newXzSum(kind byte) xzSum {
	switch kind {
	case 0x01:
		return xzSum{crc32.NewIEEE(), true}
	case 0x04:
		return xzSum{crc64.New(crc64.MakeTable(crc64.ECMA)), true}
	case 0x0A:
		return xzSum{sha256.New(), false}
	}
	return xzSum{}
}

func (s xzSum) write(p []byte) {
	if s.hash != nil {
		s.hash.Write(p)
	}
}

func (s xzSum) matches(stored []byte) bool {
	switch {
	case s.hash == nil:
		return true
	case !s.little:
		return bytes.Equal(s.hash.Sum(nil), stored)
	case len(stored) == 4:
		return s.hash.(hash.Hash32).Sum32() == binary.LittleEndian.Uint32(stored)
	}
	return s.hash.(hash.Hash64).Sum64() == binary.LittleEndian.Uint64(stored)
}
