package install

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/phigate/phigate/deploy"
	"github.com/phigate/phigate/plugin/conf"
)

func unit() []byte      { return deploy.Unit }
func catalogue() []byte { return deploy.Catalogue }
func example() []byte   { return deploy.Example }

// configuration is phigate.yaml with each key, so that nobody has to look them up.
func configuration(c conf.Config) []byte {
	q := strconv.Quote
	return fmt.Appendf(nil, `# phigated's configuration, which the commands read too. All paths are absolute.
containerd: %s # its gRPC socket
nri: {socket: %s, name: %s, index: %s} # the name is what containerd requires
stateDir: %s # the decision log, facts and keys
socket: %s # for the commands
policies: [%s] # files, and folders of *.yaml
journal: %s # "" sends nothing to the journal
`, q(c.Containerd), q(c.NRI.Socket), q(c.NRI.Name), q(c.NRI.Index), q(c.StateDir), q(c.Socket), q(c.Policies[0]), q(c.Journal))
}

// config is phigate.yaml, or what it is where there is none.
func (t *Tree) config() (conf.Config, error) {
	e, err := t.look(conf.DefaultPath)
	if err != nil || !e.exists {
		return conf.Default(), err
	}
	return conf.Parse(conf.DefaultPath, e.data)
}

// socketUnit is the unit of the socket where containers wait: the one at which phigated would listen.
func (p *planner) socketUnit() error {
	c, err := p.tree.config()
	if err != nil {
		return err
	}
	text := bytes.Replace(deploy.Socket, []byte(conf.Default().GateSocket()), []byte(c.GateSocket()), 1)
	return p.owned(SocketFile, text, "where containers wait for phigated")
}
