package settings

import (
	"crypto/subtle"
	"encoding/base64"
	"encoding/binary"
	"math/big"
	"strconv"
	"strings"
)

// bcrypt is a password hash of crypt(5) of that name: $2b$COST$, 22 characters of
// salt and 31 of hash (Provos and Mazieres, "A Future-Adaptable Password Scheme").
type bcrypt struct {
	cost       int
	salt, want []byte
	start      *blowfish
}

// maxCost bounds the work of trying one password, some 80 ms.
const maxCost = 10

var bcryptAlphabet = base64.NewEncoding("./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789").WithPadding(base64.NoPadding)

func parseBcrypt(field string) (b bcrypt, ok bool) {
	parts := strings.Split(field, "$")
	if len(parts) != 4 || parts[0] != "" || parts[1] != "2a" && parts[1] != "2b" && parts[1] != "2y" || len(parts[3]) != 53 {
		return b, false
	}
	cost, err := strconv.Atoi(parts[2])
	if err != nil || cost < 4 || cost > maxCost {
		return b, false
	}
	salt, saltErr := bcryptAlphabet.DecodeString(parts[3][:22])
	want, wantErr := bcryptAlphabet.DecodeString(parts[3][22:])
	if saltErr != nil || wantErr != nil {
		return b, false
	}
	return bcrypt{cost: cost, salt: salt, want: want, start: newBlowfish()}, true
}

func (b *bcrypt) is(password string) bool {
	key := append([]byte(password), 0)
	key = key[:min(len(key), 72)]
	cipher := *b.start
	cipher.expand(key, b.salt)
	for range 1 << b.cost {
		cipher.expand(key, nil)
		cipher.expand(b.salt, nil)
	}
	text := []byte("OrpheanBeholderScryDoubt")
	for i := 0; i < len(text); i += 8 {
		l, r := binary.BigEndian.Uint32(text[i:]), binary.BigEndian.Uint32(text[i+4:])
		for range 64 {
			l, r = cipher.encrypt(l, r)
		}
		binary.BigEndian.PutUint32(text[i:], l)
		binary.BigEndian.PutUint32(text[i+4:], r)
	}
	return subtle.ConstantTimeCompare(text[:23], b.want) == 1
}

// blowfish is the cipher (Schneier, "Description of a New Variable-Length Key,
// 64-Bit Block Cipher"): the subkeys and the four tables.
type blowfish struct {
	keys   [18]uint32
	tables [4][256]uint32
}

// newBlowfish starts with the digits of pi behind the point, in their order.
func newBlowfish() *blowfish {
	b := &blowfish{}
	digits := piFraction(4 * (len(b.keys) + 4*256))
	next := func() uint32 {
		word := binary.BigEndian.Uint32(digits)
		digits = digits[4:]
		return word
	}
	for i := range b.keys {
		b.keys[i] = next()
	}
	for t := range b.tables {
		for i := range b.tables[t] {
			b.tables[t][i] = next()
		}
	}
	return b
}

// piFraction is pi - 3 in so many bytes, by Machin's formula: pi is
// 16 arctan(1/5) - 4 arctan(1/239).
func piFraction(n int) []byte {
	const guard = 64 // bits for what rounding loses
	shift := uint(8*n + guard)
	arctan := func(inverse int64) *big.Int {
		sum, square := new(big.Int), big.NewInt(inverse*inverse)
		power := new(big.Int).Lsh(big.NewInt(1), shift)
		power.Quo(power, big.NewInt(inverse))
		for k := int64(1); power.Sign() != 0; k += 2 {
			term := new(big.Int).Quo(power, big.NewInt(k))
			if k%4 == 3 {
				term.Neg(term)
			}
			sum.Add(sum, term)
			power.Quo(power, square)
		}
		return sum
	}
	pi := new(big.Int).Mul(arctan(5), big.NewInt(16))
	pi.Sub(pi, new(big.Int).Mul(arctan(239), big.NewInt(4)))
	pi.Sub(pi, new(big.Int).Lsh(big.NewInt(3), shift))
	return pi.Rsh(pi, guard).FillBytes(make([]byte, n))
}

func (b *blowfish) encrypt(l, r uint32) (uint32, uint32) {
	for i := 0; i < 16; i += 2 {
		l ^= b.keys[i]
		r ^= ((b.tables[0][l>>24] + b.tables[1][l>>16&255]) ^ b.tables[2][l>>8&255]) + b.tables[3][l&255]
		r ^= b.keys[i+1]
		l ^= ((b.tables[0][r>>24] + b.tables[1][r>>16&255]) ^ b.tables[2][r>>8&255]) + b.tables[3][r&255]
	}
	return r ^ b.keys[17], l ^ b.keys[16]
}

// words gives the words of bytes, again from the beginning at their end.
func words(of []byte) func() uint32 {
	at := 0
	return func() (w uint32) {
		for range 4 {
			w = w<<8 | uint32(of[at])
			at = (at + 1) % len(of)
		}
		return w
	}
}

// expand mixes a key, and a salt where there is one, into all subkeys and tables.
func (b *blowfish) expand(key, salt []byte) {
	next := words(key)
	for i := range b.keys {
		b.keys[i] ^= next()
	}
	var l, r uint32
	fill := func(into []uint32) {
		for i := 0; i < len(into); i += 2 {
			l, r = b.encrypt(l, r)
			into[i], into[i+1] = l, r
		}
	}
	if salt != nil {
		next := words(salt)
		fill = func(into []uint32) {
			for i := 0; i < len(into); i += 2 {
				l, r = b.encrypt(l^next(), r^next())
				into[i], into[i+1] = l, r
			}
		}
	}
	fill(b.keys[:])
	for t := range b.tables {
		fill(b.tables[t][:])
	}
}
