// Package policy is the law: the words that every other package speaks, and
// Decide, which turns what was found into a verdict.
//
// It is pure. Nothing in it or below it reads a file, opens a socket, starts a
// goroutine or asks for the time; what it needs to know of the world is in the
// values that it is given. Of third parties it knows the OCI runtime
// specification alone.
//
// Reading order: [Subject] is the container that is judged, with the [Facts]
// that the asking gate can see. [Rule] and detectors (package detect) turn it
// into [Finding]s and [Skipped]s, collected in a [Report]. A [Policy] is what
// the operator wrote: [Document]s, with [Condition]s of their own, and
// [Exception]s. [Decide] brings them together in a [Verdict], and a [Decision]
// is a verdict that was recorded.
package policy
