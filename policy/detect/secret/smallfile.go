package secret

import (
	"bytes"
	"strings"

	"github.com/phigate/phigate/policy/detect"
)

// parser reads a file of credentials and reports them.
type parser func(content []byte, s *detect.Sink)

// baseName is the last part of a path, also within a container.
func baseName(path string) string { return path[strings.LastIndexAny(path, "/!")+1:] }

// secretLine judges a secret that stands in a line, and reports it.
func secretLine(off int, value []byte, kind string, s *detect.Sink) {
	if len(value) > 0 && !template(value) && !sample(value) {
		s.FoundAs(kind, int64(off))
		s.Fingerprint(value)
	}
}

// numbered gives each line with its offset, without blanks around it.
func numbered(content []byte, yield func(off int, line []byte)) {
	off := 0
	for line := range bytes.Lines(content) {
		if text := bytes.TrimSpace(line); len(text) > 0 {
			yield(off, text)
		}
		off += len(line)
	}
}

// unquoted is a value without the quotes around it.
func unquoted(value []byte) []byte {
	value = bytes.TrimSpace(value)
	if n := len(value); n >= 2 && (value[0] == '"' || value[0] == '\'') && value[n-1] == value[0] {
		return value[1 : n-1]
	}
	return value
}

// settings makes a parser of lines `name = value` or `name: value` whose secret
// names end so, in lower case.
func settings(kind string, names ...string) parser {
	return func(content []byte, s *detect.Sink) {
		numbered(content, func(off int, line []byte) {
			i := bytes.IndexAny(line, "=:")
			if strings.IndexByte("#;", line[0]) >= 0 || i < 0 {
				return
			}
			if line[0] == '/' || line[0] == '@' { // npm: //registry.npmjs.org/:_authToken=
				i = bytes.IndexByte(line, '=')
			}
			if i < 0 {
				return
			}
			name := strings.ToLower(string(bytes.Trim(line[:i], " \t\"'")))
			for _, want := range names {
				if strings.HasSuffix(name, want) {
					secretLine(off, unquoted(line[i+1:]), kind, s)
					return
				}
			}
		})
	}
}
