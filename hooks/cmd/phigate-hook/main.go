// Phigate-hook is a createRuntime hook that asks phigated before a container is made.
package main

import (
	"os"

	"github.com/phigate/phigate/hooks/oci"
)

func main() { os.Exit(oci.Main(os.Args, os.Stdin, os.Stderr)) }
