package cli

import (
	"context"
	"errors"
	"flag"
	"io"
	"io/fs"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/phigate/phigate/plugin/ask"
	"github.com/phigate/phigate/plugin/ask/server"
	"github.com/phigate/phigate/plugin/audit"
	"github.com/phigate/phigate/test/images"
)

// scanCommands are what scripts have besides testscript's own commands.
func scanCommands() map[string]func(ts *testscript.TestScript, neg bool, args []string) {
	return map[string]func(ts *testscript.TestScript, neg bool, args []string){
		"exits":    scriptExits,
		"image":    scriptImage,
		"registry": scriptRegistry,
		"cut":      scriptCut,
		"damage":   scriptDamage,
		"phigated": scriptPhigated,
		"log":      scriptLog,
	}
}

// scriptExits is: exits CODE PROGRAM ARGUMENT...
func scriptExits(ts *testscript.TestScript, _ bool, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("exit code %d; want %d", got, want)
	}
}

// several is a flag that may be given several times.
type several []string

func (s *several) String() string     { return strings.Join(*s, " ") }
func (s *several) Set(v string) error { *s = append(*s, v); return nil }

// scriptImage is: image [-ref NAME] [-port P]... [-env K=V]... [-user U] save|layout|push DEST FOLDER...
// Each folder of the script becomes a layer; .wh.NAME deletes NAME of those below.
func scriptImage(ts *testscript.TestScript, _ bool, args []string) {
	var ports, env several
	flags := flag.NewFlagSet("image", flag.ContinueOnError)
	ref := flags.String("ref", "localhost/app:1", "")
	user := flags.String("user", "", "")
	flags.Var(&ports, "port", "")
	flags.Var(&env, "env", "")
	ts.Check(flags.Parse(args))
	if flags.NArg() < 2 {
		ts.Fatalf("usage: image [flags] save|layout|push DEST FOLDER...")
	}
	img, err := images.With(empty.Image, images.Platform("linux", "amd64"), images.Ports(ports), images.Env(env),
		images.Config(func(c *v1.Config) { c.User, c.Cmd = *user, []string{"/bin/app"} }))
	ts.Check(err)
	for _, folder := range flags.Args()[2:] {
		img, err = images.With(img, layerOf(ts, ts.MkAbs(folder)))
		ts.Check(err)
	}
	switch how, dest := flags.Arg(0), flags.Arg(1); how {
	case "save":
		ts.Check(images.Archive(ts.MkAbs(dest), *ref, img))
	case "layout":
		ts.Check(images.Layout(ts.MkAbs(dest), *ref, img))
	case "push":
		tag, err := name.NewTag(dest)
		ts.Check(err)
		ts.Check(remote.Write(tag, img))
	default:
		ts.Fatalf("image: %s is none of save, layout, push", how)
	}
}

func layerOf(ts *testscript.TestScript, folder string) images.Files {
	files := images.Files{}
	ts.Check(filepath.WalkDir(folder, func(path string, e fs.DirEntry, err error) error {
		if err != nil || path == folder {
			return err
		}
		var file images.File
		switch {
		case e.IsDir():
			file.Dir = true
		case e.Type()&fs.ModeSymlink != 0:
			file.Link, err = os.Readlink(path)
		default:
			file.Body, err = os.ReadFile(path)
		}
		files[strings.TrimPrefix(path, folder)] = file
		return err
	}))
	return files
}

// scriptRegistry starts a registry; $REGISTRY is where.
func scriptRegistry(ts *testscript.TestScript, _ bool, _ []string) {
	s := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	ts.Defer(s.Close)
	ts.Setenv("REGISTRY", strings.TrimPrefix(s.URL, "http://"))
}

// scriptCut is: cut FILE BYTES. It takes bytes from the file's end.
func scriptCut(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	info, err := os.Stat(path)
	ts.Check(err)
	n, err := strconv.ParseInt(args[1], 10, 64)
	ts.Check(err)
	ts.Check(os.Truncate(path, info.Size()-n))
}

// scriptDamage is: damage FILE OLD NEW. It replaces bytes in the file, whose
// number stays the same.
func scriptDamage(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	data, err := os.ReadFile(path)
	ts.Check(err)
	if !strings.Contains(string(data), args[1]) || len(args[1]) != len(args[2]) {
		ts.Fatalf("damage: nothing to replace, or by another number of bytes")
	}
	ts.Check(os.WriteFile(path, []byte(strings.ReplaceAll(string(data), args[1], args[2])), 0o644))
}

// scriptLog is: log DIR. It opens the log of a state folder and closes it, as a
// phigated does that takes over the log of an earlier version.
func scriptLog(ts *testscript.TestScript, _ bool, args []string) {
	l, err := audit.Open(filepath.Join(ts.MkAbs(args[0]), "decisions"), audit.Options{Checkpoint: time.Hour})
	ts.Check(err)
	ts.Check(l.Close())
}

// scriptPhigated is: phigated well|broken|new SOCKET. It answers there as a
// phigated in that state would.
func scriptPhigated(ts *testscript.TestScript, _ bool, args []string) {
	now := time.Now()
	status := map[string]ask.Status{
		"well": {
			Version: "v1.2.3", Started: now.Add(-time.Hour),
			Runtime: ask.RuntimeStatus{Connected: true, Name: "containerd 2.4.2", Gate: "validate", Since: now.Add(-time.Minute)},
			Policy:  ask.PolicyStatus{Digest: "sha256:abc", Names: []string{"clinic", "example"}},
			Scan:    ask.ScanStatus{Idle: true}, Log: ask.LogStatus{Last: now.Add(-3 * time.Second)},
			Bypass:   ask.BypassStatus{Watching: true},
			Software: ask.SoftwareStatus{Table: "2026-08-22", Given: true, Advisories: 75000, Newest: time.Date(2026, 11, 3, 1, 0, 0, 0, time.UTC)},
		},
		"broken": {
			Version: "v1.2.3", Started: now,
			Runtime: ask.RuntimeStatus{Error: "dialing /nri.sock: \x1b[31mno such file"},
			Policy:  ask.PolicyStatus{Digest: "sha256:abc", LastGood: true, Error: "a.yaml:1:2: wrong\nb.yaml:3:4: wrong too"},
			Scan:    ask.ScanStatus{Waiting: 3}, Log: ask.LogStatus{Error: "no space left on device"},
			Software: ask.SoftwareStatus{Table: "2026-08-22", Given: true, Error: "osv.zip: damaged"},
			Bypass: ask.BypassStatus{Watching: true, Unjudged: 2, Killed: 1, Hint: "install the wrapper", Recent: []ask.Bypasser{
				{Namespace: "moby", ID: "c1", Image: "nginx:1\x1b", Client: "docker", Time: now, Seq: 17, Killed: true},
				{Namespace: "default", ID: "c2", Client: "ctr", Time: now},
			}},
		},
		"new": {Version: "v1.2.3", Started: now, Runtime: ask.RuntimeStatus{Connected: true}, Bypass: ask.BypassStatus{Error: "no containerd"}},
	}[args[0]]
	ctx, cancel := context.WithCancel(context.Background())
	l, err := server.Sockets{}.Listen(ts.MkAbs(args[1]))
	ts.Check(err)
	wait := server.Serve(ctx, l, server.Answers{Status: func() ask.Status { return status }})
	ts.Defer(func() {
		cancel()
		ts.Check(wait())
	})
}
