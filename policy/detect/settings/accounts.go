package settings

import (
	"bytes"
	"slices"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// Accounts finds users without a password or with one that everybody knows, and
// further users with root's number, in passwd(5) and shadow(5); and the passwords
// with which servers are shipped, in their settings. The hashes of
// shadow(5) are tried by all methods that distributions make; one that would take
// too long, or is of another method, is said to be untried, and of yescrypt and
// bcrypt, which are made to be slow, no more than two in a file.
func Accounts() detect.Detector {
	return reading(policy.Info{
		ID:       "weak-account",
		Aliases:  []string{"SEC-012"},
		Title:    "Account without a password, with a default one, or with root's number",
		Cites:    []hipaa.Citation{hipaa.UniqueUser, hipaa.Authentication},
		Severity: policy.High,
		Default:  policy.Warn,
		Rationale: "Users must have a unique name or number (164.312(a)(2)(i)) and be verified to be who they claim (164.312(d)). An account " +
			"without a password, or with the one that it is shipped with, lets everybody in, and two with the number 0 cannot be told apart.",
		Fix: "Lock the account (passwd -l NAME) or give it a number of its own, in the layer that makes it.",
	}, func(path string) parser {
		switch path {
		case "/etc/shadow":
			return shadow
		case "/etc/passwd":
			return passwd
		}
		switch base(path) {
		case "tomcat-users.xml":
			return tomcatUsers
		case "grafana.ini", "rabbitmq.conf", "jetty-realm.properties":
			return lines(shippedPassword)
		}
		return nil
	})
}

const shipped = "Account with a default password"

// defaultPasswords are those that images and instructions for beginners set; the
// user's own name is one, too.
func defaultPasswords(user string) []string {
	return []string{user, "root", "toor", "admin", "password", "changeme", "123456", "12345678", "default", "guest", "test", "secret", "docker", "vagrant"}
}

// maxTried bounds the accounts of one file whose hashes are tried, at 14 times
// 5 ms each, and maxSlow those of slow methods, at 14 times 100 ms.
const (
	maxTried = 8
	maxSlow  = 2
)

// untried is said of a password that was not compared with the default ones.
const untried = "password that was not tried: whether it is a default one is not known"

// passwordHash is a hash of crypt(5).
type passwordHash interface{ is(password string) bool }

// parseHash reads a hash; slow: of a method that is made to be; nil: it is of a
// method that is not tried, or takes too long.
func parseHash(field string) (h passwordHash, slow bool) {
	if c, ok := parseSHACrypt(field); ok {
		return &c, false
	}
	if c, ok := parseMD5Crypt(field); ok {
		return &c, false
	}
	if y, ok := parseYescrypt(field); ok {
		return &y, true
	}
	if b, ok := parseBcrypt(field); ok {
		return &b, true
	}
	return nil, false
}

// holdsPassword says whether the second field of shadow(5) is a hash: what begins
// with an exclamation mark or a star is locked.
func holdsPassword(field string) bool {
	const desLength = 13
	return strings.HasPrefix(field, "$") || strings.HasPrefix(field, "_") || len(field) == desLength && field[0] != '!' && field[0] != '*'
}

// maxUser is how long a user's name may be (useradd(8), "Caveats").
const maxUser = 32

// shadow: an empty second field lets in without a password.
func shadow(content []byte, s *detect.Sink) {
	tried, slowly := 0, 0
	eachLine(content, func(off int64, line string) {
		fields := strings.Split(line, ":")
		if len(fields) < 3 || !isUser(fields[0]) {
			return
		}
		if fields[1] == "" {
			s.FoundAs("Account without a password", off)
			return
		}
		if !holdsPassword(fields[1]) || len(fields[0]) > maxUser {
			return
		}
		hash, slow := parseHash(fields[1])
		if slow {
			slowly++
		}
		if tried++; hash == nil || tried > maxTried || slow && slowly > maxSlow {
			s.Skip(untried)
			return
		}
		if slices.ContainsFunc(defaultPasswords(fields[0]), hash.is) {
			s.FoundAs(shipped, off)
		}
	})
}

// tomcatUsers takes the users of a file that Tomcat reads, in which they stand
// between comments as examples, too.
func tomcatUsers(content []byte, s *detect.Sink) {
	for off := 0; off < len(content); {
		open := bytes.Index(content[off:], []byte("<"))
		if open < 0 {
			return
		}
		off += open
		end, element := []byte(">"), content[off:]
		if bytes.HasPrefix(element, []byte("<!--")) {
			end = []byte("-->")
		}
		n := bytes.Index(element, end)
		if n < 0 {
			return
		}
		element = element[:n]
		if bytes.HasPrefix(element, []byte("<user ")) {
			name, password := attribute(element, "username"), attribute(element, "password")
			if password == "tomcat" || password == "s3cret" || slices.Contains(defaultPasswords(name), password) {
				s.FoundAs(shipped, int64(off))
			}
		}
		off += n + len(end)
	}
}

// attribute is the value of an attribute of an element; empty: it has none.
func attribute(element []byte, name string) string {
	_, rest, _ := strings.Cut(string(element), " "+name+"=")
	if rest == "" || rest[0] != '"' && rest[0] != '\'' {
		return ""
	}
	value, _, _ := strings.Cut(rest[1:], rest[:1])
	return value
}

// shippedPassword: Grafana's administrator and RabbitMQ's user are guarded by a
// word that their documentation has, where nothing else is set.
func shippedPassword(name, value, line string) string {
	switch name {
	case "admin_password", "default_pass":
		if value != "" && slices.Contains(defaultPasswords("admin"), value) {
			return shipped
		}
	case "admin", "user": // Jetty's: name: password, roles
		password, _, roles := strings.Cut(value, ",")
		if roles && slices.Contains(defaultPasswords(name), strings.TrimSpace(password)) {
			return shipped
		}
	}
	return ""
}

// isUser says whether a name is one of a user (useradd(8), "Caveats"); lines that
// begin with a plus or a minus are of NIS.
func isUser(name string) bool {
	for i := range len(name) {
		c := name[i] | 0x20
		if !(c >= 'a' && c <= 'z' || name[i] == '_' || i > 0 && (name[i] >= '0' && name[i] <= '9' || name[i] == '-' || name[i] == '.' || name[i] == '$')) {
			return false
		}
	}
	return name != ""
}

// passwd: an empty second field, too, and a third one of 0 for more than root.
func passwd(content []byte, s *detect.Sink) {
	eachLine(content, func(off int64, line string) {
		fields := strings.Split(line, ":")
		if len(fields) < 7 || !isUser(fields[0]) {
			return
		}
		switch {
		case fields[1] == "":
			s.FoundAs("Account without a password", off)
		case fields[2] == "0" && fields[0] != "root" && fields[0] != "toor":
			s.FoundAs("Second account with root's number", off)
		}
	})
}
