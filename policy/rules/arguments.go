package rules

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/phigate/phigate/policy"
)

// maxArguments bounds what is read of a process's arguments, in bytes: Linux
// lets them have 2 MiB, while the runtime waits.
const maxArguments = 64 << 10

// setting is one thing that an argument sets: "--name=value", "--name value",
// "NAME=value", or a value without a name.
type setting struct {
	index   int    // of the argument
	name    string // empty: there is none
	value   string
	program string // the base name of the program that gets it; empty: not known
}

func (s setting) field() string { return fmt.Sprintf("process.args[%d]", s.index) }

// settings are what the arguments set, a shell's script taken apart at blanks.
// An argument that holds blanks is given whole, too, since it may be a value.
func settings(s *policy.Subject) []setting {
	var out []setting
	room := maxArguments
	for _, c := range commands(process(s).Args) {
		program := baseName(c.args[0])
		for i := 0; i < len(c.args) && room > 0; i++ {
			arg := c.args[i]
			room -= len(arg) + 1
			one := setting{index: c.index + i, program: program, value: arg}
			if c.shell {
				one.index = c.index
			}
			next := ""
			if i+1 < len(c.args) {
				next = c.args[i+1]
			}
			out = append(out, one.split(next))
		}
	}
	for i, arg := range process(s).Args { // what wrappers such as env get
		if room -= len(arg) + 1; room <= 0 {
			break
		}
		if name, value, ok := strings.Cut(arg, "="); ok && plainKey.MatchString(name) {
			out = append(out, setting{index: i, name: name, value: value})
		}
	}
	return out
}

// split tells name and value apart.
func (s setting) split(next string) setting {
	option := strings.TrimLeft(s.value, "-")
	dashed := len(option) < len(s.value)
	if name, value, ok := strings.Cut(option, "="); ok && plainKey.MatchString(name) {
		s.name, s.value = name, value
		return s
	}
	if dashed && plainKey.MatchString(option) {
		s.name, s.value = option, ""
		if !strings.HasPrefix(next, "-") {
			s.value = next
		}
	}
	return s
}

func baseName(p string) string { return p[strings.LastIndexByte(p, '/')+1:] }

// hasBlank says whether a value is more than one word.
func hasBlank(value string) bool { return strings.IndexFunc(value, unicode.IsSpace) >= 0 }
