// Package faults breaks what phigate stands on, for real: its clock, its disk,
// its memory, its connections, itself. Its tests ask each gate for containers
// meanwhile, and say in deploy/FAULTS.md what became of them.
package faults
