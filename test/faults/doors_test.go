package faults

import (
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/node"
)

// door is a gate that a container is asked for at.
type door int

const (
	doorCreate         door = iota // CRI, NRI alone: created and started under the fault
	doorStart                      // CRI, NRI alone: created before, started under the fault
	doorCreateShielded             // the same two with phigate-runc as the pod's runc
	doorStartShielded
	doorCtr    // ctr, which NRI never hears of, with phigate-runc
	doorDocker // Docker with phigate-runc as its default runtime; nor of this
	doorHook   // runc alone, with phigate-hook
	doors
)

func (d door) String() string {
	return [doors]string{"create", "start", "create_with_wrapper", "start_with_wrapper", "ctr_with_wrapper", "docker_with_wrapper", "hook"}[d]
}

// byNRI says whether nothing but NRI stands in the way.
func (d door) byNRI() bool { return d == doorCreate || d == doorStart }

// socket is where phigated is asked first.
func (d door) socket(b *bench) string {
	if d <= doorStart || d == doorCreateShielded {
		return b.node.NRISocket
	}
	return b.gate.GateSocket()
}

// call asks for one container.
type call struct {
	door      door
	violating bool
	prepared  string // the container to start, where it was created before
}

// result is what became of it.
type result struct {
	id  string // of a container that CRI knows, or ctr's
	ran bool
	err error // why it did not run
}

// calls are all that are made under one fault. That a compliant container runs
// through NRI says that it runs with the wrapper, too, when that one is asked by ctr.
func calls() (out []call) {
	for d := range doors {
		out = append(out, call{door: d, violating: true})
		if d != doorCreateShielded && d != doorStartShielded {
			out = append(out, call{door: d})
		}
	}
	return out
}

// prepare creates what is to be started under the fault. What violates shows in
// the full spec alone, so that only the start is a gate for it.
func (b *bench) prepare(c call) call {
	b.Helper()
	pod := b.plain
	switch c.door {
	case doorStartShielded:
		pod = b.shielded
	case doorStart:
	default:
		return c
	}
	err := soon(patience, func() (err error) {
		c.prepared, err = b.node.Create(b.ctx, pod, gate.Sleeps(b.clean, func(o *node.ContainerOptions) {
			if c.violating {
				o.AddCaps = violatingCaps()
			}
		}))
		return err
	})
	b.must(err)
	return c
}

// violatingCaps make a container privileged in effect, as the full spec alone shows.
func violatingCaps() []string {
	return []string{"SYS_ADMIN", "SYS_PTRACE", "SYS_MODULE", "NET_ADMIN", "DAC_READ_SEARCH"}
}

// ask asks for the container.
func (b *bench) ask(c call) result {
	b.Helper()
	image := b.clean
	if c.violating {
		image = b.people
	}
	switch c.door {
	case doorCreate:
		return b.create(b.plain, image)
	case doorCreateShielded:
		return b.create(b.shielded, image)
	case doorStart, doorStartShielded:
		err := b.node.StartContainer(b.ctx, c.prepared)
		return result{c.prepared, err == nil, err}
	case doorCtr:
		id := "ctr-" + strings.ToLower(rand.Text()[:8])
		out, err := b.node.Run(b.ctx, node.RunOptions{ID: id, Image: image, Binary: b.wrapper.Runc(), Command: []string{"/bin/echo", "ran:" + id}})
		return ended(id, out, err)
	case doorDocker:
		return b.dockerRun(image)
	default:
		return b.hook(c.violating)
	}
}

func (b *bench) create(pod, image string) result {
	id, err := b.node.Create(b.ctx, pod, gate.Sleeps(image))
	if err == nil {
		err = b.node.StartContainer(b.ctx, id)
	}
	return result{id, err == nil, err}
}

// dockerRun goes by the ID that Docker gives the container, by which the log has it.
func (b *bench) dockerRun(image string) result {
	b.Helper()
	name := "docker-" + strings.ToLower(rand.Text()[:8])
	file := filepath.Join(b.TempDir(), "id")
	out, err := b.docker.Do(b.ctx, nil, "run", "--rm", "--network", "none", "--cidfile", file, image, "/bin/echo", "ran:"+name)
	r := ended(name, out, err)
	if id, err := os.ReadFile(file); err == nil {
		r.id = string(id)
	}
	return r
}

func (b *bench) hook(violating bool) result {
	b.Helper()
	id := "hook-" + strings.ToLower(rand.Text()[:8])
	files := map[string]string{}
	if violating {
		files["people.csv"] = gate.Patients(12)
	}
	bundle, err := gate.NewBundle(b.node, b.TempDir(), id, bin, b.wrapper, files)
	b.must(err)
	out, err := bundle.Run(b.ctx)
	return ended(id, out, err)
}

// ended is the result of a container that prints a word, where that was printed.
func ended(id, out string, err error) result {
	if strings.Contains(out, "ran:"+id+"\n") {
		return result{id, true, nil}
	}
	if err == nil {
		err = errors.New("it neither ran nor was refused")
	}
	return result{id, false, fmt.Errorf("%w: %s", err, out)}
}

// remove removes what is left of a container of CRI's.
func (b *bench) remove(c call, r result) {
	b.Helper()
	if r.id != "" && c.door <= doorStartShielded {
		b.must(b.node.Remove(b.ctx, r.id))
	}
}

// caughtUp says why a container that ran unjudged is not in the log now that
// phigated is back.
func (b *bench) caughtUp(id string) error {
	all, err := b.gate.Decisions(b.ctx)
	if err != nil {
		return err
	}
	for _, d := range all {
		if d.Container == id && (d.Kind == "bypass" || d.Kind == "verdict" && d.Gate == policy.GateCatchUp && d.Verdict == policy.Block) {
			return nil
		}
	}
	return fmt.Errorf("container %s ran unjudged, and nothing says so", id)
}
