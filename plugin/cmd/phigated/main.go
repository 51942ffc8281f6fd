// Command phigated is the node daemon: the gate in front of containers.
package main

import (
	"os"

	"github.com/phigate/phigate/plugin/daemon"
)

// version is set by the linker.
var version = "devel"

func main() { os.Exit(daemon.Main(os.Args[1:], version, os.Stderr)) }
