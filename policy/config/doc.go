// Package config turns what the operator wrote into what the engine knows:
// strict YAML in, a [policy.Policy] or a list of [Problem]s out. It is the only
// package that parses YAML.
//
// [Compile] reads two kinds of document. phigate.dev/v1alpha1 Policy is our own
// (own.go). xray.aqua.security/v1 Policy is the Aqua-style dialect
// (dialect*.go). A document that is not understood to its last key is refused:
// a policy whose meaning cannot be enforced must not be loaded. Anchors,
// aliases, merge keys and tags are refused too, so that a document means what a
// person reads and cannot grow when it is expanded.
//
// Reading order: problem.go, parse.go (bytes to a small tree with positions),
// decode.go (tree to Go values), compile.go. For people who write policies:
// [Format] (format*.go), [Repair] (shape.go is the schema that it asks,
// repair*.go) and [Diff] (diff*.go).
package config
