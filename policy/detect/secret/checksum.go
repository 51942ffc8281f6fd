package secret

import (
	"encoding/base64"
	"hash/crc32"
)

// randomEntropy is what random tokens of 40 letters and digits have at least.
const randomEntropy = 3.9

// github says whether a token of GitHub's or npm's form is likely one: the last
// six of its letters are a CRC-32 of those before them, behind the prefix, in
// base 62 (GitHub's announcement of the formats, 2021). Where the sum is wrong,
// the form may have changed, so that it must at least look random.
func github(value []byte) bool {
	const prefix, sum = 4, 6
	random, want := value[prefix:len(value)-sum], value[len(value)-sum:]
	got := crc32.ChecksumIEEE(random)
	for i := sum - 1; i >= 0; i-- {
		if want[i] != base62[got%62] {
			return entropy(value) >= randomEntropy
		}
		got /= 62
	}
	return true
}

const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// unpadded reads base64 of either alphabet, padded or not, as far as it is.
func unpadded(text []byte) []byte {
	flat := make([]byte, 0, len(text))
	for _, b := range text {
		switch b {
		case '-':
			b = '+'
		case '_':
			b = '/'
		case '=', '\\':
			continue
		}
		flat = append(flat, b)
	}
	if len(flat)%4 == 1 {
		flat = flat[:len(flat)-1]
	}
	out := make([]byte, base64.RawStdEncoding.DecodedLen(len(flat)))
	n, _ := base64.RawStdEncoding.Decode(out, flat)
	return out[:n]
}
