package cli

import (
	"context"
	"flag"
	"fmt"
	"io"
	"path/filepath"

	"github.com/phigate/phigate/plugin/ask"
	"github.com/phigate/phigate/plugin/conf"
	"github.com/phigate/phigate/policy"
)

// VerifierName is what phigate is called where it is one of containerd's image verifiers.
const VerifierName = "phigate-verify"

// IsVerifier says whether the program was called by that name.
func IsVerifier(program string) bool { return filepath.Base(program) == VerifierName }

// exitRefused is any exit code but 0, to containerd.
const exitRefused = 1

// Verify is phigate as an image verifier of containerd's (docs/image-verification.md there): containerd calls it with
// the name and the digest of what a pull leads to, and takes exit code 0 for yes; what it prints is the reason.
//
// It refuses what phigated knows to be refused in every container, and nothing else. It is an early warning: a
// phigated that is not there, or anything else that goes wrong, is no reason why no image can be pulled, since no container
// is created of it either.
func Verify(args []string, stdout io.Writer) int {
	flags := flag.NewFlagSet(VerifierName, flag.ContinueOnError)
	flags.SetOutput(stdout)
	name := flags.String("name", "", "the image's `NAME`")
	digest := flags.String("digest", "", "the `DIGEST` that it leads to")
	_ = flags.String("stdin-media-type", "", "of what is on stdin, which holds no more than that")
	config := flags.String("config", conf.DefaultPath, "phigated's configuration `FILE`")
	letIn := func(why string, args ...any) int {
		fmt.Fprintf(stdout, "%s; the image is not looked at, its containers are judged when they are created\n", policy.Printable(fmt.Sprintf(why, args...)))
		return ExitClean
	}
	if err := flags.Parse(args); err != nil {
		return ExitClean // it has said so
	}
	if *digest == "" {
		return letIn("phigate was given no digest")
	}
	c, err := conf.Load(*config)
	if err != nil {
		return letIn("%v", err)
	}
	image, err := ask.GetImage(context.Background(), c.Socket, *name, *digest)
	if err != nil {
		return letIn("%v", err)
	}
	fmt.Fprintln(stdout, policy.Printable(image.Line))
	if image.Refused {
		return exitRefused
	}
	return ExitClean
}
