package gate

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
)

// Wrapper is phigate-runc as it is put in front of runc: a folder for PATH in
// which it is called runc, and its configuration, which phigate-hook takes too.
type Wrapper struct {
	Dir    string // holds runc and what follows
	Config string
	Glass  string // the break-glass file, which is not there
}

// NewWrapper makes the folder; the binaries are those that Build made in bin.
func NewWrapper(dir, bin string) (*Wrapper, error) {
	w := &Wrapper{Dir: dir, Config: filepath.Join(dir, "runc.yaml"), Glass: filepath.Join(dir, "break-glass")}
	return w, os.Symlink(filepath.Join(bin, "phigate-runc"), w.Runc())
}

// Runc is the wrapper as a runtime's program.
func (w *Wrapper) Runc() string { return filepath.Join(w.Dir, "runc") }

// Env is what containerd needs in its environment for the wrapper to find its
// configuration.
func (w *Wrapper) Env() []string { return []string{"PHIGATE_RUNC_CONFIG=" + w.Config} }

// Configure writes the configuration for a gate, with more lines. They may name
// another socket.
func (w *Wrapper) Configure(g *Gate, more string) error {
	runc, err := RealRunc()
	if err != nil {
		return err
	}
	text := fmt.Sprintf("runc: %s\nbreakGlass: %s\nspool: %s\n%s\n", runc, w.Glass, filepath.Join(g.StateDir, "breakglass"), more)
	if !strings.Contains(more, "socket:") {
		text += "socket: " + g.GateSocket() + "\n"
	}
	return os.WriteFile(w.Config, []byte(text), 0o600)
}

// RealRunc is Debian's runc.
func RealRunc() (string, error) {
	for _, path := range []string{"/usr/sbin/runc", "/usr/bin/runc"} {
		if _, err := os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", errors.New("runc is not installed; run test/setup")
}

// Pretend listens at the socket, where phigated would, and gives each who asks
// the same answer, or none while it is empty. Closing the listener ends it.
func Pretend(socket, answer string) (net.Listener, error) {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return nil, err
	}
	if err := os.Chmod(socket, 0o600); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	go func() {
		var silent []net.Conn
		for {
			c, err := l.Accept()
			if err != nil {
				break
			}
			_, _ = c.Read(make([]byte, 4096))
			if answer == "" {
				silent = append(silent, c)
				continue
			}
			_, _ = c.Write([]byte(answer))
			_ = c.Close()
		}
		for _, c := range silent {
			_ = c.Close()
		}
	}()
	return l, nil
}
