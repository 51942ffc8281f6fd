package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/plugin/ask"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/images"
	"github.com/phigate/phigate/test/journald"
	"github.com/phigate/phigate/test/node"
)

const unitFile = "../../deploy/systemd/phigated.service"

// unit is what [Service] of the shipped unit says, by key.
func unit(t *testing.T) map[string][]string {
	t.Helper()
	data, err := os.ReadFile(unitFile)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][]string{}
	for line := range strings.Lines(string(data)) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && line[0] != '#' {
			out[key] = append(out[key], value)
		}
	}
	return out
}

// systemd-analyze ships with Debian's systemd; where it is absent nobody can say
// what a unit's words mean.
func analyze(t *testing.T, args ...string) string {
	t.Helper()
	if _, err := exec.LookPath("systemd-analyze"); err != nil {
		t.Skip("SKIPPED: systemd-analyze is not installed, so the unit is NOT checked; run test/setup")
	}
	out, err := exec.Command("systemd-analyze", args...).CombinedOutput()
	if err != nil {
		t.Fatalf("systemd-analyze %s: %v: %s", args[0], err, out)
	}
	return string(out)
}

func TestUnitIsHardened(t *testing.T) {
	out := analyze(t, "security", "--offline=true", "--no-pager", unitFile)
	m := regexp.MustCompile(`Overall exposure level for phigated.service: ([0-9.]+)`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("systemd-analyze gives no level:\n%s", out)
	}
	level, err := strconv.ParseFloat(m[1], 64)
	if err != nil || level > 2.5 {
		t.Errorf("the exposure level is %s, and may be 2.5 at most:\n%s", m[1], out)
	}
	u := unit(t)
	for key, want := range map[string]string{
		"Type": "notify", "Restart": "always", "WatchdogSec": "10s", "LimitCORE": "0", "MemorySwapMax": "0", "OOMScoreAdjust": "-900",
		"LogRateLimitIntervalSec": "0", "Before": "containerd.service docker.service kubelet.service", "NoNewPrivileges": "yes",
	} {
		if got := u[key]; len(got) != 1 || got[0] != want {
			t.Errorf("%s=%v, want %q", key, got, want)
		}
	}
}

// syscalls expands a system call filter as systemd.exec(5) does: the first list
// says that it allows, later ones with ~ take away, and those without add.
func syscalls(t *testing.T, filters []string) []string {
	t.Helper()
	sets := syscallSets(t)
	allowed := map[string]bool{}
	var expand func(word string, allow bool, depth int)
	expand = func(word string, allow bool, depth int) {
		if !strings.HasPrefix(word, "@") {
			if allow {
				allowed[word] = true
			} else {
				delete(allowed, word)
			}
			return
		}
		if sets[word] == nil || depth > 8 {
			t.Fatalf("systemd knows no set %s", word)
		}
		for _, w := range sets[word] {
			expand(w, allow, depth+1)
		}
	}
	expand("@default", true, 0)
	for _, filter := range filters {
		words, deny := strings.CutPrefix(filter, "~")
		for _, word := range strings.Fields(words) {
			expand(word, !deny, 0)
		}
	}
	var out []string
	for name := range allowed {
		out = append(out, name)
	}
	slices.Sort(out)
	return out
}

func syscallSets(t *testing.T) map[string][]string {
	sets := map[string][]string{}
	set := ""
	for line := range strings.Lines(analyze(t, "syscall-filter", "--no-pager")) {
		text := strings.TrimSpace(line)
		switch {
		case strings.HasPrefix(line, "@"):
			set = text
			sets[set] = []string{}
		case text == "" || text[0] == '#':
		case strings.HasPrefix(line, " ") && set != "":
			sets[set] = append(sets[set], text)
		}
	}
	return sets
}

// confined is a runc bundle that runs phigated as the unit has systemd run it: with its
// capabilities, system calls and address families alone, without network, on a
// tree that is read-only but for the gate's own folder. MemoryDenyWriteExecute and RestrictNamespaces are left
// out. The tree holds no more than what phigated opens.
func confined(t *testing.T, n *node.Node, u map[string][]string) *specs.Spec {
	caps := strings.Fields(u["CapabilityBoundingSet"][0])
	allow := slices.DeleteFunc(syscalls(t, u["SystemCallFilter"]), func(name string) bool { return name == "socket" || name == "socketpair" })
	dir := filepath.Join(n.Dir, "gate")
	bind := func(path string, options ...string) specs.Mount {
		return specs.Mount{Destination: path, Source: path, Type: "bind", Options: append(options, "rbind")}
	}
	const unix, eperm = 1, uint(1)
	refuse := eperm
	return &specs.Spec{
		Version: specs.Version,
		Root:    &specs.Root{Path: "root", Readonly: true},
		Process: &specs.Process{
			Cwd: "/", Env: []string{"PATH=/usr/bin"}, NoNewPrivileges: u["NoNewPrivileges"][0] == "yes",
			Args:         []string{filepath.Join(bin, "phigated"), "--config", filepath.Join(dir, "phigate.yaml")},
			Capabilities: &specs.LinuxCapabilities{Bounding: caps, Effective: caps, Permitted: caps},
			Rlimits:      []specs.POSIXRlimit{{Type: "RLIMIT_CORE"}},
		},
		Mounts: []specs.Mount{bind(bin, "ro"), bind("/etc", "ro"), proc(u), bind("/sys", "ro"), bind(n.Dir, "ro"), bind(dir, "rw")},
		Linux: &specs.Linux{
			CgroupsPath: "/" + filepath.Base(n.Dir) + "/phigated",
			Namespaces:  []specs.LinuxNamespace{{Type: specs.MountNamespace}, {Type: specs.NetworkNamespace}},
			Seccomp: &specs.LinuxSeccomp{
				DefaultAction: specs.ActErrno, DefaultErrnoRet: &refuse, Architectures: []specs.Arch{specs.ArchX86_64},
				Syscalls: []specs.LinuxSyscall{
					{Names: allow, Action: specs.ActAllow},
					{Names: []string{"socket", "socketpair"}, Action: specs.ActAllow, Args: []specs.LinuxSeccompArg{{Index: 0, Value: unix, Op: specs.OpEqualTo}}},
				},
			},
		},
	}
}

// proc is a /proc of the machine's own processes, as ProtectProc has systemd mount it.
func proc(u map[string][]string) specs.Mount {
	return specs.Mount{Destination: "/proc", Source: "proc", Type: "proc", Options: []string{"hidepid=" + u["ProtectProc"][0]}}
}

// confine writes the bundle and a program "phigated" that runs it.
func confine(t *testing.T, n *node.Node, spec *specs.Spec) (programs string) {
	t.Helper()
	bundle := filepath.Join(n.Dir, "unit")
	text, err := json.Marshal(spec)
	if err != nil {
		t.Fatal(err)
	}
	script := fmt.Sprintf("#!/bin/sh\nexec runc --root %s/runc run --bundle %s phigated\n", bundle, bundle)
	for name, data := range map[string][]byte{"config.json": text, "phigated": []byte(script)} {
		if err := os.MkdirAll(filepath.Join(bundle, "root"), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(bundle, name), data, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return bundle
}

// phigated does its work under the shipped unit: it scans what only
// DAC_READ_SEARCH may read and whiteouts that only SYS_ADMIN can tell, refuses and admits.
func TestUnitLetsPhigatedWork(t *testing.T) {
	for _, snapshotter := range []string{"overlayfs", "native"} { // the latter is mounted to be read
		t.Run(snapshotter, func(t *testing.T) {
			r := newConfined(t, node.Options{Require: []string{"phigate"}, Snapshotter: snapshotter, PluginTimeout: patience}, gate.Options{Policies: map[string]string{"p.yaml": hostPID}})
			r.confinedAsMeant()
			clean := r.image("clean", images.Files{"/srv/notes.txt": images.Text("nothing of anybody")})
			hidden := r.image("hidden", images.Files{
				"/srv/closed":              {Dir: true, Mode: 0o700, UID: 4711},
				"/srv/closed/patients.csv": {Body: []byte(gate.Patients(12)), Mode: 0o000, UID: 4711},
			})
			pod := r.pod(node.PodOptions{})
			r.admit(pod, sleeps(clean))
			r.refuse(pod, sleeps(hidden), "phi-table")
			shared := r.pod(node.PodOptions{HostPID: true})
			r.refuse(shared, sleeps(clean, func(o *node.ContainerOptions) { o.HostPID = true }), "host-pid")
			if out, err := r.gate.Output(); err != nil || strings.Contains(out, "ordinary priority") {
				t.Errorf("the scan cannot lower its priority (error %v)", err)
			}
			r.originsAreWhole()
		})
	}
}

// phigated reads back under the shipped unit what it has sent to the node's own
// journal: it runs journalctl with the unit's capabilities and system calls, and a
// group that may read the journal is not needed.
func TestUnitLetsPhigatedReadTheJournal(t *testing.T) {
	j := journald.Start(t)
	bind := func(source, destination string) specs.Mount {
		return specs.Mount{Destination: destination, Source: source, Type: "bind", Options: []string{"rbind", "ro"}}
	}
	r := newConfined(t, node.Options{PluginTimeout: patience}, gate.Options{Journal: "/run/systemd/journal/socket"},
		bind(filepath.Dir(j.Socket), "/run/systemd/journal"), bind(j.Logs, "/var/log/journal"),
		bind("/usr", "/usr"), bind("/bin", "/bin"), bind("/lib", "/lib"), bind("/lib64", "/lib64"))
	r.confinedAsMeant()
	for end := time.Now().Add(time.Minute); ; time.Sleep(200 * time.Millisecond) {
		s, err := ask.GetStatus(r.ctx, r.gate.Socket)
		r.must(err)
		if s.Journal == nil || s.Journal.Error != "" || !s.Journal.ReadBack {
			t.Fatalf("phigated says of the journal: %+v", s.Journal)
		}
		if s.Journal.Confirmed > 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("nothing was read back: %+v", s.Journal)
		}
	}
	if entries := j.Await(t, 1, "PHIGATE_KIND=start"); len(entries) != 1 {
		t.Errorf("%d entries say that phigated begins, want 1", len(entries))
	}
}

// hostPID needs process 1's namespaces, which only SYS_PTRACE shows.
const hostPID = "apiVersion: phigate.dev/v1alpha1\nkind: Policy\nmetadata: {name: p}\nspec: {mode: enforce, rules: [{id: host-pid, action: block}]}\n"

// newConfined is newRig with a phigated that is held as the unit holds it, and sees
// more mounts.
func newConfined(t *testing.T, o node.Options, g gate.Options, more ...specs.Mount) *rig {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 4*time.Minute)
	t.Cleanup(cancel)
	n, err := node.Start(ctx, o)
	if err != nil {
		t.Fatal(err)
	}
	r := &rig{T: t, ctx: ctx, node: n}
	t.Cleanup(func() {
		if t.Failed() {
			keep(t, n.Dir)
		}
		if r.gate != nil {
			_ = r.gate.Stop() // runc hands on phigated's own exit code
		}
		if err := n.Stop(); err != nil {
			t.Errorf("ending the node: %v", err)
		}
	})
	spec := confined(t, n, unit(t))
	spec.Mounts = append(spec.Mounts, more...)
	r.gate, err = gate.New(n, confine(t, n, spec), g)
	r.must(err)
	r.must(r.gate.Start())
	r.must(r.gate.Ready(ctx))
	return r
}

// originsAreWhole looks at what records say of where they come from: nothing of it
// may be out of reach under the unit.
func (r *rig) originsAreWhole() {
	r.Helper()
	ds, err := r.gate.Decisions(r.ctx)
	r.must(err)
	for _, d := range ds {
		o := d.Origin
		if o.Node == "" || o.Machine == "" || o.Boot == "" || o.BootTimeUs == 0 || o.Version == "" || o.Digest == "" || o.KeyID == "" || o.Clock == policy.ClockUnknown {
			r.Errorf("decision %d comes from %+v", d.Seq, o)
		}
	}
}

// confinedAsMeant looks at the running phigated, so that a bundle that holds nothing back does not pass for one that does.
func (r *rig) confinedAsMeant() {
	r.Helper()
	out, err := exec.CommandContext(r.ctx, "runc", "--root", filepath.Join(r.node.Dir, "unit/runc"), "state", "phigated").Output()
	r.must(err)
	var state struct{ Pid int }
	r.must(json.Unmarshal(out, &state))
	limits, err := os.ReadFile(fmt.Sprintf("/proc/%d/limits", state.Pid))
	r.must(err)
	if !regexp.MustCompile(`(?m)^Max core file size +0 +0 `).Match(limits) {
		r.Errorf("phigated may write a core file:\n%s", limits)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", state.Pid))
	r.must(err)
	const caps = 1<<2 | 1<<21 | 1<<19 // DAC_READ_SEARCH, SYS_ADMIN, SYS_PTRACE
	for _, want := range []string{fmt.Sprintf("CapEff:\t%016x\n", caps), fmt.Sprintf("CapBnd:\t%016x\n", caps), "NoNewPrivs:\t1\n", "Seccomp:\t2\n"} {
		if !strings.Contains(string(status), want) {
			r.Errorf("phigated's status lacks %q:\n%s", want, status)
		}
	}
}
