package install

import (
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
