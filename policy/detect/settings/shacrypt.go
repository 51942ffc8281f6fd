package settings

import (
	"bytes"
	"crypto/sha256"
	"crypto/sha512"
	"crypto/subtle"
	"hash"
	"strconv"
	"strings"
)

// maxRounds bounds the work of trying one password, some 10 ms.
const maxRounds = 20_000

// shaCrypt is a password hash of crypt(5), "sha512crypt" or "sha256crypt":
// $6$rounds=N$SALT$HASH.
type shaCrypt struct {
	make   func() hash.Hash
	order  [][3]int // which bytes of the sum make four characters
	rounds int
	salt   []byte
	want   string
}

// parseSHACrypt reads a hash; false: it is of another method, or takes too long
// to try.
func parseSHACrypt(field string) (c shaCrypt, ok bool) {
	parts := strings.Split(field, "$")
	if len(parts) < 4 || parts[0] != "" {
		return c, false
	}
	size := 0
	switch parts[1] {
	case "5":
		c.make, size = sha256.New, sha256.Size
	case "6":
		c.make, size = sha512.New, sha512.Size
	default:
		return c, false
	}
	c.order = shaOrder(size)
	c.rounds = 5000
	rest := parts[2:]
	if n, found := strings.CutPrefix(rest[0], "rounds="); found {
		rounds, err := strconv.Atoi(n)
		if err != nil || rounds < 1000 || rounds > maxRounds {
			return c, false
		}
		c.rounds, rest = rounds, rest[1:]
	}
	if len(rest) != 2 || len(rest[0]) > 16 {
		return c, false
	}
	c.salt, c.want = []byte(rest[0]), rest[1]
	return c, true
}

// shaOrder is how the specification of SHA-crypt walks over the sum: three places
// a third apart, turned by one each time.
func shaOrder(size int) (order [][3]int) {
	third := size / 3
	at := [3]int{0, third, 2 * third}
	turn := [3]int{1, 2, 0} // of SHA-512; that of SHA-256 goes the other way
	if size == sha256.Size {
		turn = [3]int{2, 0, 1}
	}
	for range third {
		order = append(order, at)
		at = [3]int{at[turn[0]] + 1, at[turn[1]] + 1, at[turn[2]] + 1}
	}
	return order
}

// is says whether the hash is of this password (akkadia.org/drepper/SHA-crypt.txt,
// whose steps are numbered).
func (c *shaCrypt) is(password string) bool {
	key := []byte(password)
	sum := func(parts ...[]byte) []byte {
		h := c.make()
		for _, p := range parts {
			h.Write(p)
		}
		return h.Sum(nil)
	}
	b := sum(key, c.salt, key) // 4 to 8
	a := [][]byte{key, c.salt, stretch(b, len(key))}
	for n := len(key); n > 0; n >>= 1 { // 11
		if n&1 != 0 {
			a = append(a, b)
		} else {
			a = append(a, key)
		}
	}
	digest := sum(a...)
	p := stretch(sum(bytes.Repeat(key, len(key))), len(key)) // 13 to 16
	s := stretch(sum(bytes.Repeat(c.salt, 16+int(digest[0]))), len(c.salt))
	for i := range c.rounds { // 21
		parts := [][]byte{digest, nil, nil, p}
		if i%2 != 0 {
			parts[0], parts[3] = p, digest
		}
		if i%3 != 0 {
			parts[1] = s
		}
		if i%7 != 0 {
			parts[2] = p
		}
		digest = sum(parts...)
	}
	return subtle.ConstantTimeCompare([]byte(c.encode(digest)), []byte(c.want)) == 1
}

// stretch repeats a sum to a length.
func stretch(sum []byte, n int) []byte { return bytes.Repeat(sum, n/len(sum)+1)[:n] }

// cryptAlphabet is crypt's base 64.
const cryptAlphabet = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// cryptText is text in that alphabet, the lowest six bits first.
type cryptText []byte

func (t *cryptText) put(v uint32, n int) {
	for range n {
		*t = append(*t, cryptAlphabet[v&63])
		v >>= 6
	}
}

func (c *shaCrypt) encode(sum []byte) string {
	var out cryptText
	for _, o := range c.order {
		out.put(uint32(sum[o[0]])<<16|uint32(sum[o[1]])<<8|uint32(sum[o[2]]), 4)
	}
	if len(sum) == sha256.Size {
		out.put(uint32(sum[31])<<8|uint32(sum[30]), 3)
	} else {
		out.put(uint32(sum[63]), 2)
	}
	return string(out)
}
