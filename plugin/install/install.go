// Package install changes a node so that phigate guards it, and changes it back:
// it plans, shows what it would change, and applies that. Planning only reads;
// what cannot be read from files (is phigated registered, which containerd
// runs) is handed in, so that all of it works on a tree that is no node.
//
// What it holds to:
//   - A second run changes nothing.
//   - What it touches is backed up first, once, and uninstalling puts back
//     what was there before the first run.
//   - An operator's file is never overwritten: not the configuration, not a
//     policy, nor a file of ours that was edited since.
//   - containerd requires phigate only after phigate has registered. The other
//     way round no pod of the node would start.
package install

import (
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/phigate/phigate/plugin/conf"
)

// Where things lie on a node.
const (
	ContainerdConfig = "/etc/containerd/config.toml"
	DropInFolder     = "/etc/containerd/conf.d"
	DropIn           = DropInFolder + "/10-phigate.toml"
	UnitFile         = "/etc/systemd/system/phigated.service"
	SocketFile       = "/etc/systemd/system/phigated.socket"
	CatalogueFile    = "/usr/lib/systemd/catalog/phigate.catalog"
	ProgramFolder    = "/usr/local/bin"
	Wrapper          = ProgramFolder + "/phigate-runc"
	WrapperConfig    = "/etc/phigate/runc.yaml"
	WrapperFolder    = "/usr/local/lib/phigate/path" // first in the PATH of containerd and docker
	WrapperDropIn    = "10-phigate-runc.conf"        // below /etc/systemd/system/NAME.service.d
	WrapperHandlers  = DropInFolder + "/20-phigate-runc.toml"
	DockerConfig     = "/etc/docker/daemon.json"
	Backup           = "/var/lib/phigate/backup"
)

// importPattern is how the main configuration names the drop-in folder.
const importPattern = DropInFolder + "/*.toml"

// Node is what is known of a node beside its files.
type Node struct {
	// Containerd is the version that runs, such as "2.4.2", or "" when not known.
	Containerd string
	// Registered says that phigated answers and containerd asks it. Only then
	// containerd is told to require it.
	Registered bool
	// Wrap puts the runc wrapper in front of runc, and says by which way.
	Wrap Wrap
	// Verify has containerd ask about images before it pulls them.
	Verify bool
	// Require says whether containerd is told to require phigate; "" is yes, unless an earlier install was told no.
	Require string
}

// Wrap is the way by which clients are led to the wrapper.
type Wrap string

// The ways. WrapNone keeps what an earlier install has done.
const (
	WrapNone       Wrap = ""
	WrapAuto       Wrap = "auto"       // WrapPath where units are found, and WrapBinaryName for what no PATH leads to it
	WrapPath       Wrap = "path"       // first in the PATH of containerd's and docker's units: every client
	WrapBinaryName Wrap = "binaryname" // CRI's handlers and Docker's default runtime name it: the kubelet and docker run alone
)

// The values of Node.Require.
const (
	RequireYes = "yes"
	RequireNo  = "no" // the wrapper alone guards the node, by namespaces (onUnavailable in runc.yaml)
)

// Plan is what to change on a node.
type Plan struct {
	Changes []Change
	// Kept are files of ours that the operator has edited; they stay as they are.
	Kept []string
	// Left is what remains to be done, and how: one step each.
	Left []string
	// Managed is the distribution that writes containerd's configuration
	// itself ("k3s", "RKE2"). Then nothing is changed, and Left holds
	// instructions.
	Managed string
}

// Change is one path that becomes another.
type Change struct {
	Path string
	Why  string

	before, after entry
}

// Diff shows the changes as unified diffs, each with its reason. A folder, a
// link or a mode is one line.
func (p *Plan) Diff() string {
	var b strings.Builder
	for _, c := range p.Changes {
		fmt.Fprintf(&b, "# %s: %s\n", c.Path, c.Why)
		b.WriteString(c.diff())
	}
	return b.String()
}

func (c Change) diff() string {
	switch {
	case !c.after.exists && !c.before.regular():
		return "- " + c.before.describe(c.Path)
	case !c.after.exists:
		return string(diff.Diff(c.Path, c.before.data, "/dev/null", nil))
	case !c.after.mode.IsRegular():
		return "+ " + c.after.describe(c.Path)
	case !c.before.exists:
		return string(diff.Diff("/dev/null", nil, c.Path, c.after.data)) + mode(c.after)
	}
	text := string(diff.Diff(c.Path, c.before.data, c.Path+" (new)", c.after.data))
	if c.before.mode != c.after.mode {
		text += mode(c.after)
	}
	return text
}

func mode(e entry) string { return fmt.Sprintf("# mode %04o\n", e.mode.Perm()) }

func (e entry) describe(name string) string {
	if e.link != "" {
		return fmt.Sprintf("link %s -> %s\n", name, e.link)
	}
	return fmt.Sprintf("folder %s, mode %04o\n", name, e.mode.Perm())
}

// planner gathers changes.
type planner struct {
	tree     *Tree
	manifest *manifest
	plan     Plan
}

// Install plans what the node lacks. An error says what has to be set right
// first; nothing has been changed then, nor by planning at all.
func Install(t *Tree, n Node) (*Plan, error) {
	if name := managed(t); name != "" {
		return &Plan{Managed: name, Left: instructions(name)}, nil
	}
	m, err := readManifest(t)
	if err != nil {
		return nil, err
	}
	p := &planner{tree: t, manifest: m}
	if err := p.programs(n); err != nil {
		return nil, err
	}
	disk, err := ReadContainerd(t)
	if err != nil {
		return nil, err
	}
	steps := []func() error{
		p.folders,
		func() error { return p.configuration(disk) },
		p.policy,
		func() error {
			return p.owned(CatalogueFile, catalogue(), "what phigate's journal entries mean (journalctl -x)")
		},
		p.socketUnit,
		func() error { return p.owned(UnitFile, unit(), "phigated, before containerd and docker") },
		func() error { return p.wrapper(disk, n) },
		func() error { return p.verifier(disk, n) },
		func() error { return p.containerd(disk, n) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return nil, err
		}
	}
	return &p.plan, nil
}

// programs demands what the unit and the wrapper start.
func (p *planner) programs(n Node) error {
	for _, name := range []string{"phigated", "phigate"} {
		file := path.Join(ProgramFolder, name)
		if !p.tree.Exists(file) {
			return fmt.Errorf("%s is not there: copy the programs first (install -m 0755 bin/phigate bin/phigated %s/)", file, ProgramFolder)
		}
		if err := p.tree.Trusted(file); err != nil {
			return err
		}
	}
	if n.Wrap != WrapNone && !p.tree.Exists(Wrapper) {
		return fmt.Errorf("%s is not there, so --wrapper cannot be followed: copy it first (install -m 0755 bin/phigate-runc %s/)", Wrapper, ProgramFolder)
	}
	return nil
}

func (p *planner) folders() error {
	for _, f := range []struct {
		path, why string
		mode      fs.FileMode
	}{
		{"/etc/phigate", "configuration of phigate", 0o700},
		{"/etc/phigate/policies.d", "policies", 0o700},
		{"/var/lib/phigate", "the decision log, facts and keys", 0o700},
	} {
		if err := p.folder(f.path, f.mode, f.why); err != nil {
			return err
		}
	}
	return nil
}

// folder wants a folder there, and those above it; one that is there keeps its mode, and doctor judges it.
func (p *planner) folder(name string, mode fs.FileMode, why string) error {
	if p.tree.IsDir(name) || p.planned(name) {
		return nil
	}
	if err := p.folder(path.Dir(name), 0o755, "for "+path.Base(name)); err != nil {
		return err
	}
	before, err := p.tree.look(name)
	if err != nil {
		return err
	}
	if before.exists {
		return fmt.Errorf("%s is there and is no folder: move it away", name)
	}
	p.change(name, why, before, entry{exists: true, mode: fs.ModeDir | mode})
	return nil
}

func (p *planner) planned(name string) bool {
	for _, c := range p.plan.Changes {
		if c.Path == name {
			return true
		}
	}
	return false
}

// configuration writes phigate.yaml where there is none.
func (p *planner) configuration(disk *Containerd) error {
	c := conf.Default()
	if s := disk.Address(); s != "" {
		c.Containerd = s
	}
	if s := disk.NRI().Socket; s != "" {
		c.NRI.Socket = s
	}
	return p.absent(conf.DefaultPath, configuration(c), 0o600, "configuration of phigated")
}

// policy writes the example where there is no policy.
func (p *planner) policy() error {
	const folder = "/etc/phigate/policies.d"
	for _, pattern := range []string{"/*.yaml", "/*.yml"} {
		found, err := p.tree.glob(folder + pattern)
		if err != nil || len(found) > 0 {
			return err
		}
	}
	return p.absent(folder+"/example.yaml", example(), 0o600, "a policy to begin with")
}

// absent writes a file that is the operator's from then on.
func (p *planner) absent(name string, data []byte, mode fs.FileMode, why string) error {
	before, err := p.tree.look(name)
	if err != nil || before.exists {
		return err
	}
	p.change(name, why, before, entry{exists: true, mode: mode, data: data})
	return nil
}

// owned writes a file of ours, and brings it up to date unless the operator has edited it.
func (p *planner) owned(name string, data []byte, why string) error {
	return p.want(name, entry{exists: true, mode: 0o644, data: data}, why)
}

func (p *planner) want(name string, want entry, why string) error {
	if err := p.tree.Trusted(name); err != nil {
		return err
	}
	before, err := p.tree.look(name)
	if err != nil || before.same(want) {
		return err
	}
	if before.exists && !before.regular() {
		return fmt.Errorf("%s is there and is no regular file: move it away", name)
	}
	if edited := p.manifest.edited(name, before); edited && before.exists {
		p.plan.Kept = append(p.plan.Kept, name)
		return nil
	}
	if err := p.folder(path.Dir(name), 0o755, "for "+path.Base(name)); err != nil {
		return err
	}
	p.change(name, why, before, want)
	return nil
}

func (p *planner) change(name, why string, before, after entry) {
	p.plan.Changes = append(p.plan.Changes, Change{Path: name, Why: why, before: before, after: after})
}

func (p *planner) left(format string, args ...any) {
	p.plan.Left = append(p.plan.Left, fmt.Sprintf(format, args...))
}

// AtLeast compares a version of containerd, "v2.2.0-rc.1" or "2.4.2+unknown";
// one that is not known is at least nothing.
func AtLeast(version string, major, minor int) bool {
	parts := strings.SplitN(strings.TrimPrefix(version, "v"), ".", 3)
	if len(parts) < 2 {
		return false
	}
	a, err := strconv.Atoi(parts[0])
	if err != nil {
		return false
	}
	b, err := strconv.Atoi(parts[1])
	return err == nil && (a > major || a == major && b >= minor)
}
