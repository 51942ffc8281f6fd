package e2e

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/empty"

	"github.com/phigate/phigate/test/images"
	"github.com/phigate/phigate/test/node"
)

// TestScanContainerd scans images of a containerd with `phigate scan
// containerd://NAME`, beside a deleted file, and leaves nothing in it.
func TestScanContainerd(t *testing.T) {
	table := images.Text("mrn,last_name,first_name,dob,ssn\n40296060,Testpatient,Merle,1988-04-29,237-96-2820\n")
	img, err := images.With(empty.Image, images.Platform("linux", "amd64"),
		images.Files{"/etc/motd": images.Text("hello")},
		images.Files{"/data/phi/patients.csv": table},
		images.Files{images.Whiteout("/data/phi"): {}})
	if err != nil {
		t.Fatal(err)
	}
	for snapshotter, want := range map[string]struct {
		code int
		line string
	}{
		"overlayfs": {3, "deleted by an upper layer, still in the image"},
		"native":    {0, "files that an upper layer deletes are not seen"},
	} {
		t.Run(snapshotter, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			n, err := node.Start(ctx, node.Options{Snapshotter: snapshotter})
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := n.Stop(); err != nil {
					t.Errorf("ending the node: %v", err)
				}
			}()
			if err := n.Import(ctx, "localhost/scanned:1", img); err != nil {
				t.Fatal(err)
			}
			code, stdout, stderr := scanOf(t, n, "containerd://localhost/scanned:1")
			if code != want.code || !strings.Contains(stdout, want.line) || strings.Contains(stdout, "Testpatient") || stderr != "" {
				t.Errorf("exit code %d, %d bytes of report, errors %q; want %d and %q", code, len(stdout), stderr, want.code, want.line)
			}
			if code, _, stderr := scanOf(t, n, "containerd://localhost/none:1"); code != 2 || !strings.Contains(stderr, "names are written in full") {
				t.Errorf("of an image that is not there: exit code %d, errors %q", code, stderr)
			}
			nothingLeft(t, ctx, n)
			notUnpacked(t, ctx, n)
		})
	}
}

// scanOf runs the command against the node's containerd.
func scanOf(t *testing.T, n *node.Node, target string) (code int, stdout, stderr string) {
	t.Helper()
	config := filepath.Join(t.TempDir(), "phigate.yaml")
	policies := filepath.Join(t.TempDir(), "policies.d")
	if err := os.Mkdir(policies, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(config, []byte("containerd: "+n.Address+"\npolicies: ["+policies+"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	cmd := exec.CommandContext(t.Context(), filepath.Join(bin, "phigate"), "scan", "--config", config, target)
	cmd.Env = append(os.Environ(), "TMPDIR="+t.TempDir())
	cmd.Stdout, cmd.Stderr = &out, &errs
	var exit *exec.ExitError
	if err := cmd.Run(); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		t.Fatal(err)
	}
	return code, out.String(), errs.String()
}

// nothingLeft looks for our lease and our view.
func nothingLeft(t *testing.T, ctx context.Context, n *node.Node) {
	t.Helper()
	for _, list := range [][]string{{"leases", "ls"}, {"snapshots", "--snapshotter", "overlayfs", "ls"}, {"snapshots", "--snapshotter", "native", "ls"}} {
		out, err := n.Ctr(ctx, nil, list...)
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(out, "phigate") {
			t.Errorf("%s shows what scan has left", strings.Join(list, " "))
		}
	}
}

// notUnpacked scans an image whose layers lie in the content store alone.
func notUnpacked(t *testing.T, ctx context.Context, n *node.Node) {
	t.Helper()
	img, err := images.With(empty.Image, images.Platform("linux", "amd64"), images.Files{"/etc/issue": images.Text("packed")})
	if err != nil {
		t.Fatal(err)
	}
	archive := filepath.Join(t.TempDir(), "packed.tar")
	if err := images.Archive(archive, "localhost/packed:1", img); err != nil {
		t.Fatal(err)
	}
	if _, err := n.Ctr(ctx, nil, "images", "import", "--no-unpack", archive); err != nil {
		t.Fatal(err)
	}
	code, stdout, stderr := scanOf(t, n, "containerd://localhost/packed:1")
	if code != 2 || stdout != "" || !strings.Contains(stderr, "not unpacked") {
		t.Errorf("of an image that is not unpacked: exit code %d, errors %q", code, stderr)
	}
}
