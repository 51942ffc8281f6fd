// Command phigate is for people: it scans what is at rest, checks policies and
// reads the decision log.
package main

import (
	"os"

	"github.com/phigate/phigate/plugin/cli"
)

// version is set by the linker.
var version = "devel"

func main() {
	if cli.IsVerifier(os.Args[0]) {
		os.Exit(cli.Verify(os.Args[1:], os.Stdout))
	}
	os.Exit(cli.Main(os.Args[1:], version, os.Stdout, os.Stderr))
}
