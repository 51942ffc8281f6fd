package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/phigate/phigate/plugin/ask"
	"github.com/phigate/phigate/plugin/ask/server"
)

// As containerd calls it: only a digest that phigated refuses is refused, and the reason is printed.
func TestVerify(t *testing.T) {
	dir, err := os.MkdirTemp("", "gate-") // short: a socket's path ends at 107 bytes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	socket, config := filepath.Join(dir, "p.sock"), filepath.Join(dir, "phigate.yaml")
	if err := os.WriteFile(config, []byte("socket: "+socket+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	verify := func(args ...string) (int, string) {
		var out strings.Builder
		code := Verify(append(args, "-stdin-media-type", "application/vnd.oci.descriptor.v1+json"), &out)
		return code, out.String()
	}
	check := func(what string, code int, part string, args ...string) {
		t.Helper()
		if got, said := verify(args...); got != code || !strings.Contains(said, part) || strings.Count(said, "\n") > 1 && code == 1 {
			t.Errorf("%s: code %d, said %q; want %d and %q", what, got, said, code, part)
		}
	}
	image := []string{"-config", config, "-name", "r/i:1", "-digest", "sha256:bad"}
	check("without phigated", 0, "is it running?", image...)
	check("without a configuration", 0, "no such file", "-config", filepath.Join(dir, "none"), "-name", "r/i:1", "-digest", "sha256:bad")
	check("without a digest", 0, "was given no digest", "-config", config)
	check("called as nobody knows", 0, "flag provided but not defined", "-newest")

	ctx, cancel := context.WithCancel(t.Context())
	l, err := server.Sockets{}.Listen(socket)
	if err != nil {
		t.Fatal(err)
	}
	wait := server.Serve(ctx, l, server.Answers{Image: func(_ context.Context, name, digest string) ask.Image {
		return ask.Image{Refused: digest == "sha256:bad", Line: fmt.Sprintf("phigate: says of %s\x1b %s", name, digest)}
	}})
	defer func() { cancel(); _ = wait() }()
	check("refused", 1, "phigate: says of r/i:1", image...)
	check("let in", 0, "sha256:good", "-config", config, "-name", "r/i:1", "-digest", "sha256:good")
	if _, said := verify(image...); strings.Contains(said, "\x1b") {
		t.Error("what a registry has named reaches the terminal as it is")
	}
	if !IsVerifier("/opt/containerd/image-verifier/bin/phigate-verify") || IsVerifier("/usr/local/bin/phigate") {
		t.Error("the program does not know its name")
	}
}
