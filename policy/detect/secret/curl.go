package secret

import (
	"bytes"

	"github.com/phigate/phigate/policy/detect"
)

// What of a curl command is looked at.
const (
	curlBytes = 1500
	curlLines = 12
)

// curl judges the logins in a curl command (curl(1), -u and -H), which may go
// on over some lines.
func curl(h *detect.Hit, s *detect.Sink) {
	command := h.Text[h.End:min(len(h.Text), h.End+curlBytes)]
	if next := bytes.Index(command, []byte("curl ")); next >= 0 {
		command = command[:next] // which is judged by itself
	}
	command = command[:commandEnd(command)]
	for i := 0; i < len(command); i++ {
		if command[i] != '-' || i > 0 && !isSpace(command[i-1]) {
			continue
		}
		n, header := curlOption(command[i:])
		if n == 0 {
			continue
		}
		at := skip(command, i+n, 6, func(b byte) bool { return b == ' ' || b == '\t' || b == '=' })
		from, to := curlArgument(command, at)
		argument := command[from:to]
		if header && isLoginHeader(argument, from > at) || !header && isLogin(argument) {
			report(h, h.End+from, argument, "Login in a curl command", s)
			return
		}
		i = max(i, to-1)
	}
}

// commandEnd is where a command ends: at a line end that nothing goes on
// behind, where the next line begins with no option.
func commandEnd(text []byte) int {
	lines := 0
	for i, b := range text {
		if b != '\n' {
			continue
		}
		lines++
		rest := bytes.TrimLeft(text[i+1:], " \t#")
		if lines >= curlLines || len(rest) == 0 || i > 0 && text[i-1] != '\\' && rest[0] != '-' {
			return i
		}
	}
	return len(text)
}

// curlOption says whether an option gives a login or a header, and how long
// its name is.
func curlOption(text []byte) (n int, header bool) {
	for _, o := range []struct {
		name   string
		header bool
	}{{"--user", false}, {"--header", true}, {"-u", false}, {"-H", true}} {
		if len(text) > len(o.name) && string(text[:len(o.name)]) == o.name {
			if b := text[len(o.name)]; b == ' ' || b == '=' || b == '\t' || b == '"' || b == '\'' {
				return len(o.name), o.header
			}
		}
	}
	return 0, false
}

// curlArgument is where an argument stands, without quotes around it.
func curlArgument(text []byte, at int) (from, to int) {
	if at < len(text) && (text[at] == '"' || text[at] == '\'') {
		end := bytes.IndexByte(text[at+1:], text[at])
		if end < 0 {
			return at, at
		}
		if to = at + 1 + end; to+1 == len(text) || text[to+1] != ':' {
			return at + 1, to
		}
	}
	return at, at + run(text[at:], longestSecret, func(b byte) bool { return !isSpace(b) })
}

// isLogin says whether an argument is user:password; one of both may be empty.
func isLogin(argument []byte) bool {
	user, password, both := bytes.Cut(argument, []byte(":"))
	user, password = bytes.Trim(user, `"'`), bytes.Trim(password, `"'`)
	if !both || entropy(argument) < leastEntropy || len(user)+len(password) < 6 {
		return false
	}
	if len(password) == 0 {
		return varied(user) && telling(nil, user, nil)
	}
	return telling(user, password, nil) && !hasVariable(password) || bracedLogin(password)
}

// hasVariable says whether a variable's name stands in the password.
func hasVariable(password []byte) bool {
	_, name, ok := bytes.Cut(password, []byte("$"))
	return ok && len(name) > 0 && (isLetter(name[0]) || name[0] == '_')
}

// bracedLogin says whether braces belong to the password: names of variables
// have nothing else inside.
func bracedLogin(password []byte) bool {
	inner := bytes.Trim(password, "{}")
	return len(password) > 2 && password[0] == '{' && mixed(inner)
}

// isLoginHeader says whether a quoted header gives a password or token.
func isLoginHeader(header []byte, quoted bool) bool {
	name, value, both := bytes.Cut(header, []byte(":"))
	if !quoted || !both || !isLoginName(name) {
		return false
	}
	value = bytes.TrimSpace(value)
	basic := false
	if scheme, rest, ok := bytes.Cut(value, []byte(" ")); ok {
		switch {
		case bytes.EqualFold(scheme, []byte("basic")):
			basic = true
		case bytes.EqualFold(scheme, []byte("bearer")), bytes.EqualFold(scheme, []byte("token")), bytes.EqualFold(scheme, []byte("api-token")):
		default:
			return false
		}
		value = bytes.TrimSpace(rest)
	}
	const shortest, least = 8, 2.75
	if len(value) < shortest || entropy(value) < least || sample(value) || template(value) || !hasDigit(value) {
		return false
	}
	if basic {
		return bytes.IndexByte(unpadded(value), ':') >= 0 && bytes.IndexByte(value, '.') < 0
	}
	return run(value, len(value), func(b byte) bool { return isValue(b) || b == '~' || b == '@' }) == len(value)
}

// isLoginName says whether a header of this name gives a password or token.
func isLoginName(name []byte) bool {
	if bytes.EqualFold(name, []byte("authorization")) {
		return true
	}
	lower := bytes.ToLower(name)
	return bytes.HasSuffix(lower, []byte("key")) || bytes.HasSuffix(lower, []byte("token"))
}
