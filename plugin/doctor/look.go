package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/plugin/ask"
	"github.com/phigate/phigate/plugin/audit"
	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/plugin/containerd"
	"github.com/phigate/phigate/plugin/install"
	"github.com/phigate/phigate/policy"
)

// measured is how many decisions are looked back on.
const measured = 2000

// Look gathers the facts of a node. What cannot be had is a fact as well. live
// is false for a tree that is not the running machine's: nobody is asked then. The
// configurations are phigated's and containerd's.
func Look(ctx context.Context, t *install.Tree, config, runtime string, live bool) *Facts {
	f := &Facts{Tree: t, Live: live, Now: time.Now(), Config: conf.Default()}
	if live {
		f.loadConfig(config)
	} else if data, err := t.Read(config); err == nil {
		f.Config, f.ConfigErr = conf.Parse(config, data)
	}
	f.Disk, f.DiskErr = install.ReadContainerdAt(t, runtime)
	if live {
		f.askRuntime(ctx)
		f.Status, f.StatusErr = ask.GetStatus(ctx, f.Config.Socket)
		f.measure(ctx)
		f.space()
	}
	return f
}

func (f *Facts) loadConfig(path string) {
	c, err := conf.Load(path)
	if errors.Is(err, fs.ErrNotExist) {
		f.ConfigErr = fmt.Errorf("%s is not there: phigate install writes it", path)
		return
	}
	f.Config, f.ConfigErr = c, err
}

func (f *Facts) askRuntime(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	client, err := containerd.Open(f.Config.Containerd)
	if err != nil {
		f.RuntimeErr = err
		return
	}
	defer client.Close()
	if f.Version, f.RuntimeErr = client.Check(ctx); f.RuntimeErr != nil {
		return
	}
	f.Snapshotters, f.RuntimeErr = client.Snapshotters(ctx)
	f.Paths = map[string]string{}
	if pid, err := install.Listener(f.Config.Containerd); err == nil {
		f.Paths["containerd"] = install.PathOf(pid)
	}
	if pid, err := install.PIDFile("/run/docker.pid"); err == nil {
		f.Paths["docker"] = install.PathOf(pid)
	}
	f.Stale = f.Tree.Stale(f.Config.Containerd)
}

// measure reads the newest decisions: how long they took, and when the last one was.
func (f *Facts) measure(ctx context.Context) {
	file := f.Config.Log()
	from, err := audit.LastOf(ctx, file, measured)
	var took []time.Duration
	if err == nil {
		err = audit.Entries(ctx, file, from, func(e audit.Entry) error {
			d := e.Decision
			f.LastLogged = d.Time
			if d.Gate == policy.GateValidate || d.Gate == policy.GateCreate || d.Gate == policy.GateStart {
				took = append(took, time.Duration(d.DurationUs)*time.Microsecond)
			}
			return nil
		})
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f.LogErr = err
	}
	f.Gates = len(took)
	if len(took) > 0 {
		slices.Sort(took)
		f.P99 = took[(len(took)*99+99)/100-1]
	}
}

func (f *Facts) space() {
	var s unix.Statfs_t
	if unix.Statfs(f.Config.StateDir, &s) == nil {
		f.Space = &Space{Free: s.Bavail * uint64(s.Bsize), Size: s.Blocks * uint64(s.Bsize), Files: s.Ffree, Total: s.Files}
	}
}
