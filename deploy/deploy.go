// Package deploy holds what an operator applies to a node: each file as it lies
// here, for those who copy it by hand, and embedded, for `phigate install`.
package deploy

import _ "embed"

// Unit is systemd's unit of phigated.
//
//go:embed systemd/phigated.service
var Unit []byte

// Socket is systemd's unit of the socket where containers wait for phigated.
//
//go:embed systemd/phigated.socket
var Socket []byte

// Example is a policy to begin with.
//
//go:embed policies/example.yaml
var Example []byte

// Catalogue explains phigate's journal entries (journalctl -x).
//
//go:embed journald/phigate.catalog
var Catalogue []byte
