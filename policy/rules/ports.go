package rules

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/phigate/phigate/policy"
)

// OfferedPorts are the ports that the subject offers: those that its image and
// pod name, then those of its arguments and its environment, as far as the gate
// sees each. A server that is known listens on its usual port unless its
// arguments say another. A port is listed once, where it is said first; one
// that the pod names for no container in particular is the container's as soon
// as the container's own arguments or environment name it.
func OfferedPorts(s *policy.Subject) []policy.Port {
	o := &offer{at: map[portKey]int{}}
	if s.Sees.Has(policy.FactPorts) {
		for _, p := range s.Ports {
			o.add(p)
		}
	}
	if s.Sees.Has(policy.FactArgs) {
		for _, c := range commands(process(s).Args) {
			o.command(c)
		}
	}
	if s.Sees.Has(policy.FactEnv) {
		o.environment(process(s).Env)
	}
	return o.ports
}

type portKey struct {
	number   uint16
	protocol string
}

type offer struct {
	ports []policy.Port
	at    map[portKey]int
}

func (o *offer) add(p policy.Port) {
	if p.Number == 0 {
		return
	}
	key := portKey{p.Number, p.Protocol}
	i, ok := o.at[key]
	switch {
	case !ok:
		o.at[key] = len(o.ports)
		o.ports = append(o.ports, p)
	case o.ports[i].WholePod && !p.WholePod:
		o.ports[i] = p
	}
}

// command is one program with its arguments, and where its name stands.
type command struct {
	args  []string
	index int  // of args[0] in process.args
	shell bool // all of it stands in that one argument
}

func (c command) field(i int) string {
	if c.shell {
		i = 0
	}
	return fmt.Sprintf("process.args[%d]", c.index+i)
}

var (
	// shells run what follows -c.
	shells = []string{"sh", "bash", "ash", "dash", "zsh", "ksh"}
	// wrappers run the program that their arguments name.
	wrappers = []string{
		"tini", "tini-static", "dumb-init", "catatonit", "busybox", "toybox", "exec", "env", "nohup", "sudo", "setsid", "gosu", "su-exec",
		"stdbuf", "nice", "chpst", "docker-entrypoint.sh", "entrypoint.sh", "entrypoint",
	}
)

// maxWords bounds what is read of arguments and of a shell's script.
const maxWords = 4096

// commands are the programs that the arguments start, shells and wrappers
// looked through.
func commands(args []string) []command {
	args = args[:min(len(args), maxWords)]
	start := unwrap(args)
	if start == len(args) {
		return nil
	}
	rest := args[start:]
	if !slices.Contains(shells, path.Base(rest[0])) {
		return []command{{args: rest, index: start}}
	}
	for i, a := range rest[:len(rest)-1] {
		if strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") && strings.HasSuffix(a, "c") {
			return script(rest[i+1], start+i+1)
		}
	}
	if len(rest) == 1 { // an interactive shell
		return nil
	}
	return []command{{args: rest[1:], index: start + 1}} // a script's file and its arguments
}

// unwrap is the index of the first argument that is no wrapper, nor an option,
// an assignment or a user's name for one.
func unwrap(args []string) int {
	i := 0
	for i < len(args) && slices.Contains(wrappers, path.Base(args[i])) {
		takesUser := slices.Contains([]string{"gosu", "su-exec"}, path.Base(args[i]))
		i++
		for i < len(args) && (strings.HasPrefix(args[i], "-") || strings.Contains(args[i], "=")) {
			i++
		}
		if takesUser && i < len(args) {
			i++
		}
	}
	return i
}

// script are the commands of a shell's script, told apart by the shell's
// separators; what its own logic does with them is not followed.
func script(text string, index int) []command {
	text = strings.NewReplacer(";", " ; ", "\n", " ; ", "&", " ; ", "|", " ; ", "(", " ; ", ")", " ; ", "{", " ; ", "}", " ; ").Replace(text)
	fields := strings.Fields(text)
	var out []command
	var one []string
	flush := func() {
		if start := unwrap(one); start < len(one) {
			out = append(out, command{args: one[start:], index: index, shell: true})
		}
		one = nil
	}
	for _, w := range fields[:min(len(fields), maxWords)] {
		switch w {
		case ";", "do", "then", "else":
			flush()
		default:
			one = append(one, strings.Trim(w, `"'`))
		}
	}
	flush()
	return out
}

// portOf reads "21", ":21", "0.0.0.0:21", "[::]:21", "tcp://*:21" and "21/tcp".
func portOf(value string) (port uint16, protocol string, ok bool) {
	protocol = "tcp"
	if scheme, rest, found := strings.Cut(value, "://"); found {
		value = strings.TrimRight(rest, "/")
		if strings.HasPrefix(scheme, "udp") {
			protocol = "udp"
		}
	}
	if number, proto, found := strings.Cut(value, "/"); found {
		value = number
		if proto == "udp" || proto == "sctp" {
			protocol = proto
		}
	}
	if i := strings.LastIndexByte(value, ':'); i >= 0 {
		if _, err := netip.ParseAddr(value); err == nil { // an IPv6 address without a port
			return 0, "", false
		}
		value = value[i+1:]
	}
	n, err := strconv.ParseUint(value, 10, 16)
	return uint16(n), protocol, err == nil && n > 0
}
