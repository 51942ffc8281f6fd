// Package plugin is the guard on a node. It holds no code itself; this is its map.
//
// The flow, the same for every door:
//
//	door            NRI validate / NRI start / runtime wrapper / OCI hook / running already / phigate scan
//	  | builds      a policy.Subject, with the facts that this door can really see,
//	  v             and a deadline below the runtime's own
//	engine.Evaluate
//	  1 inspect     rules over the spec, facts of the layers; a panic is something skipped
//	  2 decide      policy.Decide: pure
//	  3 record      the decision log, fdatasync; not recorded means not allowed
//	  v
//	verdict  ->     the door translates: an NRI error, no runtime, exit code 3
//
// The rooms:
//
//	engine      Evaluate; knows no runtime
//	inspect     runs the rules, gathers the host's facts, scans trees with the
//	            detectors, and answers for a root filesystem from facts alone
//	rootfs      layers, folders and tars as read-only, link-safe, bounded walks
//	cache       facts of layers; never verdicts
//	prescan     gathers facts in the background, from the pull of an image on
//	containerd  what phigate reads of containerd; alone imports its client
//	nri         the door for the kubelet's containers
//	handover    the door for containers that phigate-runc and phigate-hook hand over
//	layers      which folders a mounted root is made of, and what engines call them
//	arrival     the door at which images arrive: an early warning
//	bypass      sees the containers that came through no door, and records them
//	redact      takes identifiers out of names before a decision is recorded
//	audit       the decision log
//	journal     decisions to the systemd journal, never delaying a verdict
//	explain     what became of each rule, and whose word its action follows
//	gitleaks    its configuration as policies, as far as they can say it
//	policytest  documents of kind PolicyTest against what the engine says
//	simulate    what another policy would refuse or have decided otherwise
//	report      decisions as text, JSON, SARIF and a page; report/export: for other
//	            systems; report/period: summed, for a compliance officer
//	conf        phigated's configuration
//	ask         what the commands ask phigated; ask/judge: what the doors in hooks
//	            do; ask/server is its side of both
//	daemon      phigated, put together
//	install     changes a node so that phigate guards it, and changes it back
//	doctor      says what keeps phigate from holding on a node; the canary
//	cli         phigate's commands
//
// The law is in package policy, which imports none of this.
package plugin
