// Phigate-runc is an OCI runtime that asks phigated before the real one makes a container.
package main

import (
	"os"

	"github.com/phigate/phigate/hooks/wrap"
)

func main() { os.Exit(wrap.Main(os.Args, os.Stderr)) }
