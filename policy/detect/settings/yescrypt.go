package settings

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"math/bits"
	"strings"
)

// yescrypt is a password hash of crypt(5) of that name, in the one flavour that
// distributions make: $y$jNr$SALT$HASH (openwall.com/yescrypt).
type yescrypt struct {
	n, r       int // blocks that are kept, and their size in 128 bytes
	salt, want []byte
}

// maxYescrypt bounds n*r: what Debian, Ubuntu and Fedora make. It takes 16 MiB and
// some 60 ms.
const maxYescrypt = 4096 * 32

func parseYescrypt(field string) (y yescrypt, ok bool) {
	parts := strings.Split(field, "$")
	if len(parts) != 5 || parts[0] != "" || parts[1] != "y" || len(parts[2]) != 3 || parts[2][0] != 'j' {
		return y, false
	}
	// Numbers up to 47 are one character; larger ones begin with one beyond.
	log, size := strings.IndexByte(cryptAlphabet, parts[2][1]), strings.IndexByte(cryptAlphabet, parts[2][2])
	if log < 0 || size < 0 || log > 20 || size > 47 {
		return y, false
	}
	y.n, y.r = 1<<(log+1), size+1
	salt, saltOK := cryptBytes(parts[3])
	want, wantOK := cryptBytes(parts[4])
	y.salt, y.want = salt, want
	return y, saltOK && wantOK && len(want) == sha256.Size && y.n >= 4 && y.n*y.r <= maxYescrypt
}

// cryptBytes reads crypt's base 64, the lowest six bits first.
func cryptBytes(text string) ([]byte, bool) {
	var out []byte
	for len(text) > 0 {
		part := text[:min(4, len(text))]
		text = text[len(part):]
		v := 0
		for i := range len(part) {
			digit := strings.IndexByte(cryptAlphabet, part[i])
			if digit < 0 {
				return nil, false
			}
			v |= digit << (6 * i)
		}
		for range len(part) * 6 / 8 {
			out = append(out, byte(v))
			v >>= 8
		}
	}
	return out, true
}

func (y *yescrypt) is(password string) bool {
	key := []byte(password)
	if y.n >= 256 && y.n*y.r >= 1<<17 {
		key = y.pass(key, "yescrypt-prehash", y.n/64)
	}
	key = y.pass(key, "yescrypt", y.n)
	sum := sha256.Sum256(sealed(key, "Client Key"))
	return subtle.ConstantTimeCompare(sum[:], y.want) == 1
}

// sealed is an HMAC-SHA-256.
func sealed(key []byte, text string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(text))
	return h.Sum(nil)
}

// pass is one derivation with n blocks.
func (y *yescrypt) pass(password []byte, label string, n int) []byte {
	b, err := pbkdf2.Key(sha256.New, string(sealed([]byte(label), string(password))), y.salt, 1, 128*y.r)
	if err != nil {
		return nil // never: no length is refused
	}
	key := append([]byte{}, b[:sha256.Size]...)
	boxes := newBoxes(b)
	key = sealed(b[len(b)-64:], string(key))
	mix(b, n, boxes)
	key, err = pbkdf2.Key(sha256.New, string(key), b, 1, sha256.Size)
	if err != nil {
		return nil
	}
	return key
}

// unit is 64 bytes, in the order of words in which all is computed.
type unit [8]uint64

// read and write turn the order of the words: the i-th is the 5i-th of the bytes.
func (u *unit) read(b []byte) {
	for i := range u {
		word := func(k int) uint64 { return uint64(binary.LittleEndian.Uint32(b[4*(5*k%16):])) }
		u[i] = word(2*i) | word(2*i+1)<<32
	}
}

func (u *unit) write(b []byte) {
	for i, v := range u {
		binary.LittleEndian.PutUint32(b[4*(5*(2*i)%16):], uint32(v))
		binary.LittleEndian.PutUint32(b[4*(5*(2*i+1)%16):], uint32(v>>32))
	}
}

func (u *unit) xor(v *unit) {
	for i := range u {
		u[i] ^= v[i]
	}
}

// salsa is Salsa20's core (cr.yp.to/salsa20.html) of so many double rounds.
func (u *unit) salsa(double int) {
	var in [16]uint32
	for i, v := range u {
		in[5*(2*i)%16], in[5*(2*i+1)%16] = uint32(v), uint32(v>>32)
	}
	x := in
	quarter := func(a, b, c, d int) {
		x[b] ^= bits.RotateLeft32(x[a]+x[d], 7)
		x[c] ^= bits.RotateLeft32(x[b]+x[a], 9)
		x[d] ^= bits.RotateLeft32(x[c]+x[b], 13)
		x[a] ^= bits.RotateLeft32(x[d]+x[c], 18)
	}
	for range double {
		quarter(0, 4, 8, 12)
		quarter(5, 9, 13, 1)
		quarter(10, 14, 2, 6)
		quarter(15, 3, 7, 11)
		quarter(0, 1, 2, 3)
		quarter(5, 6, 7, 4)
		quarter(10, 11, 8, 9)
		quarter(15, 12, 13, 14)
	}
	for i := range u {
		lo, hi := 5*(2*i)%16, 5*(2*i+1)%16
		u[i] = uint64(in[lo]+x[lo]) | uint64(in[hi]+x[hi])<<32
	}
}

// boxWords is the size of one of three tables: 256 pairs.
const boxWords = 512

// boxes are the tables that pwxform reads and writes.
type boxes struct {
	s0, s1, s2 []uint64
	at         int // the next pair of s2 to be written
}

// newBoxes fills the tables from the first 128 bytes, which change.
func newBoxes(b []byte) *boxes {
	all := make([]uint64, 0, 3*boxWords)
	var x, y unit
	x.read(b)
	y.read(b[64:])
	for len(all) < cap(all) {
		all = append(append(all, x[:]...), y[:]...)
		x.xor(&y)
		x.salsa(4)
		y.xor(&x)
		y.salsa(4)
	}
	x.write(b)
	y.write(b[64:])
	return &boxes{s2: all[:boxWords], s1: all[boxWords : 2*boxWords], s0: all[2*boxWords:]}
}

// transform is yescrypt's pwxform: six rounds over four lanes of two words.
func (s *boxes) transform(u *unit) {
	s0, s1, s2 := s.s0, s.s1, s.s2
	for round := range 6 {
		for lane := 0; lane < len(u); lane += 2 {
			lo, hi := uint32(u[lane])>>4&255*2, uint32(u[lane]>>32)>>4&255*2
			for k := range 2 {
				v := u[lane+k]
				u[lane+k] = ((v>>32)*(v&0xffffffff) + s0[int(lo)+k]) ^ s1[int(hi)+k]
			}
			if round > 0 && round < 5 {
				s2[s.at], s2[s.at+1] = u[lane], u[lane+1]
				s.at += 2
			}
		}
	}
	s.s0, s.s1, s.s2 = s2, s0, s1
	s.at %= boxWords
}

// block is 128*r bytes.
type block []unit

func (b block) xor(v block) {
	for i := range b {
		b[i].xor(&v[i])
	}
}

// index is what says which block is taken next.
func (b block) index() int { return int(uint32(b[len(b)-1][0])) }

func (b block) mix(s *boxes) {
	x := b[len(b)-1]
	for i := range b {
		x.xor(&b[i])
		s.transform(&x)
		b[i] = x
	}
	b[len(b)-1].salsa(1)
}

// mix fills n blocks one after the other, each of the last and of one before it,
// and walks through them and changes them for a third as long again.
func mix(b []byte, n int, s *boxes) {
	size := len(b) / 64
	x := make(block, size)
	for i := range x {
		x[i].read(b[64*i:])
	}
	all := make(block, n*size)
	kept := func(i int) block { return all[i*size : (i+1)*size] }
	for i := range n {
		copy(kept(i), x)
		if i > 1 {
			power := 1 << (bits.Len(uint(i)) - 1)
			x.xor(kept(x.index()&(power-1) + i - power))
		}
		x.mix(s)
	}
	for range ((n+2)/3 + 1) &^ 1 {
		at := kept(x.index() & (n - 1))
		x.xor(at)
		copy(at, x)
		x.mix(s)
	}
	for i := range x {
		x[i].write(b[64*i:])
	}
}
