// Package settings holds the detectors that read the configuration of programs:
// accounts, servers, shells, libraries. Each takes files of known names, reads
// them line by line within bounds, and never tells a value.
package settings

import (
	"bytes"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
)

// parser reads a file of settings.
type parser func(content []byte, s *detect.Sink)

// reading makes a detector of files for which choose names a parser.
func reading(info policy.Info, choose func(path string) parser) detect.Detector {
	info.Visible = true
	return detect.Detector{Info: info, Open: func(m detect.Meta, s *detect.Sink) detect.Reader {
		if parse := choose(m.Path); parse != nil {
			return detect.Whole(s, parse)
		}
		return nil
	}}
}

// base is the last part of a path.
func base(path string) string { return path[strings.LastIndexAny(path, "/!")+1:] }

// eachLine gives the lines that are no comments, without blanks around them,
// with their offset.
func eachLine(content []byte, yield func(off int64, line string)) {
	off := 0
	for line := range bytes.Lines(content) {
		if text := bytes.TrimSpace(line); len(text) > 0 && text[0] != '#' && text[0] != ';' {
			yield(int64(off), string(text))
		}
		off += len(line)
	}
}

// setting splits a line at its first blank or equal sign: "Port 22",
// "ssl = off", "listen=21". The name is in lower case, the value without quotes
// and without a comment behind it.
func setting(line string) (name, value string) {
	i := strings.IndexAny(line, " \t=:")
	if i < 0 {
		return strings.ToLower(line), ""
	}
	name = strings.ToLower(line[:i])
	value = strings.TrimLeft(line[i:], " \t=:")
	if j := strings.Index(value, " #"); j >= 0 {
		value = value[:j]
	}
	return name, strings.Trim(strings.TrimSpace(value), `"';`)
}

// off says whether a value switches something off.
func off(value string) bool {
	switch strings.ToLower(value) {
	case "off", "no", "false", "0", "disabled", "none":
		return true
	}
	return false
}
