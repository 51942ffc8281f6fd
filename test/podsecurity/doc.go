//go:generate sh -c "go run -C convert . > testdata/pods.new && mv testdata/pods.new testdata/pods.txtar"
//go:generate go test -count=1 -run ^TestPage$ . -update

// Package podsecurity holds the catalogue against the test pods of the
// Kubernetes Pod Security Standards (k8s.io/pod-security-admission,
// test/testdata). Command convert, in a module of its own, makes of each pod
// what containerd's CRI gives the runtime, and notes which of the standard's
// checks refuse it; here the rules judge that, and each disagreement has a
// reason. deploy/PODSECURITY.md is written from the outcome.
package podsecurity
