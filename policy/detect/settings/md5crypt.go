package settings

import (
	"crypto/md5"
	"crypto/subtle"
	"strings"
)

// md5Crypt is a password hash of crypt(5) of that name, $1$SALT$HASH: what BusyBox
// and openssl passwd -1 make.
type md5Crypt struct{ salt, want string }

func parseMD5Crypt(field string) (c md5Crypt, ok bool) {
	parts := strings.Split(field, "$")
	if len(parts) != 4 || parts[0] != "" || parts[1] != "1" || len(parts[2]) > 8 || len(parts[3]) != 22 {
		return c, false
	}
	return md5Crypt{parts[2], parts[3]}, true
}

// is follows FreeBSD's crypt of 1994, which has no other specification.
func (c *md5Crypt) is(password string) bool {
	inner := md5.Sum([]byte(password + c.salt + password))
	text := []byte(password + "$1$" + c.salt)
	text = append(text, stretch(inner[:], len(password))...)
	for n := len(password); n > 0; n >>= 1 {
		if n&1 != 0 {
			text = append(text, 0)
		} else {
			text = append(text, password[0])
		}
	}
	sum := md5.Sum(text)
	for i := range 1000 {
		first, last := string(sum[:]), password
		if i%2 != 0 {
			first, last = last, first
		}
		middle := ""
		if i%3 != 0 {
			middle = c.salt
		}
		if i%7 != 0 {
			middle += password
		}
		sum = md5.Sum([]byte(first + middle + last))
	}
	var out cryptText
	for _, at := range [][3]int{{0, 6, 12}, {1, 7, 13}, {2, 8, 14}, {3, 9, 15}, {4, 10, 5}} {
		out.put(uint32(sum[at[0]])<<16|uint32(sum[at[1]])<<8|uint32(sum[at[2]]), 4)
	}
	out.put(uint32(sum[11]), 2)
	return subtle.ConstantTimeCompare(out, []byte(c.want)) == 1
}
