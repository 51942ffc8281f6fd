package bundle

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Call is what an OCI runtime is asked to do by its command line.
type Call struct {
	Command string // "create", "state"...; empty where there is none
	// Judged is true for the commands that make a container: create, run, restore.
	Judged bool
	ID     string
	Bundle string // as written; empty means the working folder

	Log       string // the runtime's log file; empty means standard error
	LogFormat string // "text" or "json"; empty means text
}

// errFlag is why a command line is not understood. One that is not cannot be
// judged: an unknown flag may take the next word as its value, and with it the
// bundle that the runtime will see is another one than we do.
var errFlag = errors.New("a flag that phigate-runc does not know")

// Flags that take a value, and those that take none, of runc 1.0 to 1.3
// (main.go, create.go, run.go, restore.go) and of crun 1.x where it has the same
// meaning. crun's --config, which names another file than config.json, is left out on
// purpose.
var (
	globalValues   = []string{"log", "log-format", "log-level", "root", "criu", "rootless", "cgroup-manager"}
	globalSwitches = []string{"debug", "systemd-cgroup", "help", "h", "version", "v"}
	commandValues  = []string{
		"bundle", "b", "console-socket", "pid-file", "pidfd-socket", "preserve-fds", "image-path", "work-path",
		"manage-cgroups-mode", "empty-ns", "lsm-profile", "lsm-mount-context",
	}
	commandSwitches = []string{
		"detach", "d", "keep", "no-subreaper", "no-pivot", "no-new-keyring", "no-mount-fallback", "tcp-established", "ext-unix-sk",
		"shell-job", "file-locks", "auto-dedup", "lazy-pages",
	}
	judged = []string{"create", "run", "restore"}
)

// Parse reads a runtime's arguments, without the program's name, as runc does: one dash or
// two, "name=value" or the value in the next word, the last of several wins, and
// flags of the command before and after the container's ID. Where it fails, what was
// understood of the log is in the call all the same, so that it can be told there.
func Parse(args []string) (Call, error) {
	var c Call
	rest, err := flags(args, globalValues, globalSwitches, func(name, value string) {
		switch name {
		case "log":
			c.Log = value
		case "log-format":
			c.LogFormat = value
		}
	}, true)
	if err != nil {
		// Without a command that makes a container behind it, it is the runtime's own affair.
		c.Judged = slices.ContainsFunc(rest, func(word string) bool { return slices.Contains(judged, word) })
		return c, err
	}
	if len(rest) == 0 {
		return c, nil
	}
	c.Command, rest = rest[0], rest[1:]
	c.Judged = slices.Contains(judged, c.Command) && !onlyHelp(rest)
	if !c.Judged {
		return c, nil
	}
	return c, c.command(rest)
}

// onlyHelp: such a call prints a text and makes nothing.
func onlyHelp(args []string) bool {
	return len(args) == 1 && slices.Contains([]string{"--help", "-help", "--h", "-h"}, args[0])
}

func (c *Call) command(args []string) error {
	words, err := flags(args, commandValues, commandSwitches, func(name, value string) {
		if name == "bundle" || name == "b" {
			c.Bundle = value
		}
	}, false)
	if err != nil {
		return err
	}
	if len(words) != 1 || words[0] == "" {
		return fmt.Errorf("%s takes the ID of one container, and was given %d words", c.Command, len(words))
	}
	c.ID = words[0]
	return nil
}

// flags reads flags and returns the other words; with stop, all from the first
// of them on.
func flags(args, values, switches []string, seen func(name, value string), stop bool) (words []string, err error) {
	for i := 0; i < len(args); i++ {
		arg := args[i]
		if arg == "--" {
			return append(words, args[i+1:]...), nil
		}
		if len(arg) < 2 || arg[0] != '-' {
			if stop {
				return args[i:], nil
			}
			words = append(words, arg)
			continue
		}
		name, value, has := strings.Cut(strings.TrimPrefix(arg[1:], "-"), "=")
		switch {
		case slices.Contains(switches, name):
		case !slices.Contains(values, name):
			return args[i+1:], fmt.Errorf("%q is %w", "-"+name, errFlag)
		case has:
			seen(name, value)
		case i+1 == len(args):
			return nil, fmt.Errorf("flag %q lacks its value", "-"+name)
		default:
			i++
			seen(name, args[i])
		}
	}
	return words, nil
}
