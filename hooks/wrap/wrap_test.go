package wrap

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The test binary is the program, too: PHIGATE_TEST_MAIN makes it so.
func TestMain(m *testing.M) {
	if os.Getenv("PHIGATE_TEST_MAIN") != "" {
		os.Exit(Main(os.Args, os.Stderr))
	}
	os.Exit(m.Run())
}

// rig is a wrapper with a real runtime that tells how it was called.
type rig struct {
	dir, config, told string
}

func newRig(t *testing.T) rig {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("the configuration must be root's")
	}
	r := rig{dir: t.TempDir()}
	r.config, r.told = filepath.Join(r.dir, "runc.yaml"), filepath.Join(r.dir, "told")
	runc := filepath.Join(r.dir, "real-runc")
	script := "#!/bin/sh\n{ echo \"args: $*\"; echo \"config: $PHIGATE_RUNC_CONFIG\"; echo \"mark: $MARK\"; } >" + r.told + "\nexit 7\n"
	if err := os.WriteFile(runc, []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	r.write(t, "runc: "+runc+"\nsocket: "+r.dir+"/gate.sock\nbreakGlass: "+r.dir+"/glass\nspool: "+r.dir+"/spool\n")
	return r
}

func (r rig) write(t *testing.T, text string) {
	t.Helper()
	if err := os.WriteFile(r.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// run runs the wrapper and says what became of it: what the real runtime was
// told, or nothing where it did not run.
func (r rig) run(t *testing.T, args ...string) (code int, stderr, told string) {
	t.Helper()
	_ = os.Remove(r.told)
	cmd := exec.Command("/proc/self/exe", args...)
	cmd.Env = append(os.Environ(), "PHIGATE_TEST_MAIN=1", "MARK=kept", ConfigVariable+"="+r.config)
	cmd.Dir = r.dir
	var errs strings.Builder
	cmd.Stderr = &errs
	_ = cmd.Run()
	data, _ := os.ReadFile(r.told)
	return cmd.ProcessState.ExitCode(), errs.String(), string(data)
}

// Everything that makes no container goes straight through.
func TestPassesThrough(t *testing.T) {
	r := newRig(t)
	for _, args := range []string{"state c1", "--root /r delete --force c1", "--version", "exec --process p c1 --bundle x", "features", "kill c1 9", "", "checkpoint --new-flag c1"} {
		code, stderr, told := r.run(t, strings.Fields(args)...)
		want := "args: " + args + "\nconfig: " + r.config + "\nmark: kept\n"
		if code != 7 || stderr != "" || told != want {
			t.Errorf("%q: code %d, said %q, the real runtime was told %q; want %q", args, code, stderr, told, want)
		}
	}
}

// What phigated has not admitted never reaches the real runtime.
func TestRefuses(t *testing.T) {
	r := newRig(t)
	bundle := filepath.Join(r.dir, "bundle")
	if err := os.MkdirAll(filepath.Join(bundle, "rootfs"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(bundle, "config.json"), []byte(`{"root":{"path":"rootfs"}}`), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"create --bundle BUNDLE c1":          "phigate: refused c1: no verdict: phigated does not answer at",
		"run -b=bundle c1":                   "phigate: refused c1: no verdict: phigated does not answer at",
		"restore --bundle BUNDLE c1":         "phigate: refused c1: no verdict: phigated does not answer at",
		"create c1":                          "the bundle has no config.json",
		"create --bundle /nonexistent c1":    "opening the bundle /nonexistent: no such file",
		"create --bundle BUNDLE --newest c1": `"-newest" is a flag that phigate-runc does not know`,
		"--newest create --bundle BUNDLE c1": `"-newest" is a flag`,
	} {
		log := filepath.Join(r.dir, "log.json")
		_ = os.Remove(log)
		full := append([]string{"--log", log, "--log-format", "json"}, strings.Fields(strings.ReplaceAll(args, "BUNDLE", bundle))...)
		code, stderr, told := r.run(t, full...)
		if code != 1 || told != "" || !strings.Contains(stderr, want) || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%q: code %d, said %q, the real runtime was told %q; want 1 and %q", args, code, stderr, told, want)
		}
		var line struct{ Level, Msg, Time string }
		data, err := os.ReadFile(log)
		if err != nil || json.Unmarshal(data, &line) != nil || line.Level != "error" || line.Msg+"\n" != stderr || line.Time == "" {
			t.Errorf("%q: the log holds %q (%v); want what was said as JSON", args, data, err)
		}
	}
}

func TestRealRuntime(t *testing.T) {
	r := newRig(t)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(r.dir, "runc")
	if err := os.Symlink(self, link); err != nil {
		t.Fatal(err)
	}
	open := filepath.Join(r.dir, "open")
	if err := os.WriteFile(open, []byte("#!/bin/sh\n"), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		self:              "it is phigate-runc itself",
		link:              "it is phigate-runc itself",
		"/nonexistent/rc": "no such file",
		r.dir:             "it is no program",
		r.config:          "it is no program",
		open:              "may be written to by others",
	} {
		r.write(t, "runc: "+path+"\n")
		for _, command := range []string{"state", "create"} {
			code, stderr, told := r.run(t, command, "c1")
			if code != 1 || told != "" || !strings.Contains(stderr, want) {
				t.Errorf("%s as the real runtime: code %d, said %q; want 1 and %q", path, code, stderr, want)
			}
		}
	}
}
