package e2e

import (
	"archive/tar"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/phigate/phigate/plugin/ask"
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/test/gate"
	"github.com/phigate/phigate/test/images"
	"github.com/phigate/phigate/test/node"
)

// quickly is how soon a create that cannot be judged yet is refused.
const quickly = 50 * time.Millisecond

var inProgress = regexp.MustCompile(`scan in progress, (\d+) %`)

// A container whose image is still being scanned is refused at once, with how
// far the scan is, and admitted once all of it was read.
func TestColdImage(t *testing.T) {
	if testing.Short() {
		t.Skip("an image of 2 GB")
	}
	const size = 2 << 30
	r := newRig(t, required, gate.Options{})
	pod := r.pod(node.PodOptions{})
	r.must(r.gate.Stop())
	layer, err := images.Random("/srv/volume.bin", size, 1)
	r.must(err)
	image := r.coldImage("cold", layer)
	r.must(r.gate.Start())
	r.must(r.gate.Connected(r.ctx))

	var percents []int
	var id string
	for id == "" {
		created, err := r.create(pod, sleeps(image))
		if err == nil {
			id = created
			break
		}
		found := inProgress.FindStringSubmatch(err.Error())
		if found == nil {
			t.Fatalf("refused, and not for the scan in progress: %v", err)
		}
		n, err := strconv.Atoi(found[1])
		r.must(err)
		percents = append(percents, n)
		time.Sleep(100 * time.Millisecond)
	}
	if len(percents) < 3 || !slices.IsSorted(percents) || percents[0] == percents[len(percents)-1] {
		t.Errorf("the scan was in progress at %v %%; want it to grow", percents)
	}
	for _, d := range r.verdicts(id) {
		if d.Verdict != policy.Allow || d.Coverage.Bytes < size {
			t.Errorf("%s: %v after %d bytes, want allow after %d or more", d.Gate, d.Verdict, d.Coverage.Bytes, int64(size))
		}
	}
	r.must(r.node.StartContainer(r.ctx, id))

	ds, err := r.gate.Decisions(r.ctx)
	r.must(err)
	var judging []time.Duration
	for _, d := range ds {
		if d.Kind == "verdict" && d.Verdict == policy.Block {
			judging = append(judging, time.Duration(d.DurationUs)*time.Microsecond)
		}
		if d.Kind == "verdict" && d.Verdict == policy.Allow && d.Container != id {
			t.Errorf("decision %d allows a container that was never created", d.Seq)
		}
	}
	r.quick("judging", judging)
	r.quick("answering", r.refusals())
	r.frugal()
}

// quick fails when half of the times or more are not quick; others use this
// machine too.
func (r *rig) quick(what string, times []time.Duration) {
	r.Helper()
	if len(times) == 0 {
		r.Fatalf("%s: no times were noted", what)
	}
	slices.Sort(times)
	median := times[len(times)/2]
	r.Logf("%s: median %s, worst %s of %d", what, median, times[len(times)-1], len(times))
	if median > quickly {
		r.Errorf("%s: median %s, want %s at most", what, median, quickly)
	}
}

var took = regexp.MustCompile(`msg=refused .* took=(\S+)`)

// refusals are the times that refusals took, by phigated's log.
func (r *rig) refusals() (out []time.Duration) {
	r.Helper()
	data, err := os.ReadFile(r.gate.LogFile())
	r.must(err)
	for _, found := range took.FindAllStringSubmatch(string(data), -1) {
		d, err := time.ParseDuration(found[1])
		r.must(err)
		out = append(out, d)
	}
	return out
}

const namePolicy = `
apiVersion: xray.aqua.security/v1
kind: Policy
metadata: {name: names}
spec:
  rules:
  - {name: no-such-files, scanner: file, match: {any: ["name: %s"]}, action: block}
`

// A layer with a million names is scanned in little memory, and neither a rule
// about names nor a new policy keeps a create waiting.
func TestMillionFiles(t *testing.T) {
	if testing.Short() {
		t.Skip("a million files")
	}
	const files = 1_000_000
	r := newRig(t, node.Options{Require: required.Require, Parent: roomy(files)},
		gate.Options{Policies: map[string]string{"names.yaml": fmt.Sprintf(namePolicy, "*.csv")}})
	pod := r.pod(node.PodOptions{})
	layer, err := images.Stream(func(w *tar.Writer) error {
		for i := range files {
			h := tar.Header{Name: fmt.Sprintf("srv/many/f%06d.txt", i), Mode: 0o644, Typeflag: tar.TypeReg}
			if err := w.WriteHeader(&h); err != nil {
				return err
			}
		}
		return nil
	})
	r.must(err)
	began := time.Now()
	image := r.coldImage("many", layer)
	t.Logf("import took %s", time.Since(began).Round(time.Millisecond))
	began = time.Now()
	r.must(r.gate.Ready(r.ctx))
	t.Logf("the scan went on for %s, %d MiB in memory", time.Since(began).Round(time.Millisecond), r.memory()>>20)

	d := r.verdicts(r.admit(pod, sleeps(image)))[0]
	r.quick("judging an image that was just scanned", []time.Duration{time.Duration(d.DurationUs) * time.Microsecond})
	if d.Coverage.Files < files {
		t.Errorf("allowed after %d files, want %d or more", d.Coverage.Files, files)
	}
	before := r.policy(func(ask.PolicyStatus) bool { return true })
	r.must(r.gate.WritePolicy("names.yaml", fmt.Sprintf(namePolicy, "f99999?.txt")))
	r.policy(func(p ask.PolicyStatus) bool { return p.Digest != before.Digest })
	began = time.Now()
	answer := r.refuse(pod, sleeps(image), "phigate: blocked")
	if took := time.Since(began); took > patience {
		t.Errorf("the first create under a new policy waited %s for its answer", took)
	}
	if !strings.Contains(answer, "no-such-files") && !strings.Contains(answer, "still being matched") {
		t.Errorf("refused for something else: %s", answer)
	}
	r.eventually("the new policy's matches are told", 20*time.Second, func() bool {
		return strings.Contains(r.refuse(pod, sleeps(image), "phigate: blocked"), "no-such-files")
	})
	r.refuse(pod, sleeps(image), "no-such-files") // from memory
	if got := r.found("no-such-files"); len(got) != 10 {
		t.Errorf("%d names match, want 10", len(got))
	}
	d = r.newest()
	r.quick("judging under a new policy", []time.Duration{time.Duration(d.DurationUs) * time.Microsecond})
	r.frugal()
}

// roomy is the folder for a node with so many files: in memory where there is
// room, which makes them several times faster than a disk does, else the usual.
func roomy(files uint64) string {
	const shared = "/dev/shm"
	var st unix.Statfs_t
	if err := unix.Statfs(shared, &st); err != nil || st.Type != unix.TMPFS_MAGIC || st.Ffree < 2*files || st.Bavail*uint64(st.Bsize) < 4<<30 {
		return ""
	}
	return shared
}
