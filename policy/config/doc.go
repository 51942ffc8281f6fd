// Package config turns what the operator wrote into what the engine knows:
// strict YAML in, a [policy.Policy] or a list of [Problem]s out. It is the only
// package that parses YAML.
//
// [Compile] reads our own kinds, of phigate.dev/v1alpha1: Policy (own.go),
// Exception (exception.go) and PolicyTest (policytest.go), and
// xray.aqua.security/v1 Policy, the Aqua-style dialect (dialect*.go). The
// built-in policies lie in profiles/, and profile.go says what extending one
// means. A document that is not understood to its last key is refused:
// a policy whose meaning cannot be enforced must not be loaded. Anchors,
// aliases, merge keys and tags are refused too, so that a document means what a
// person reads and cannot grow when it is expanded.
//
// Reading order: problem.go, parse.go (bytes to a small tree with positions),
// decode.go (tree to Go values), compile.go. For people who write policies:
// [Format] (format*.go), [Repair] (shape.go is the schema that it asks,
// repair*.go) and [Diff] (diff*.go).
package config

//go:generate go test -run ^(TestBaseline|TestSchema)$ -update .
