package podsecurity

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/phigate/phigate/policy"
)

// Standard is the standards' test pods and checks.
type Standard struct {
	Checks []Check
	Pods   []Pod
}

// Check is one of the standards' checks, and the level that demands it.
type Check struct{ Level, ID string }

// Pod is a test pod as the runtime gets it.
type Pod struct {
	Name       string   `json:"name"`       // level/pass/file; "+mounted" where its volumes were mounted for it
	Fails      []string `json:"fails"`      // the checks that refuse it
	Refused    string   `json:"refused"`    // who starts none of it, and why
	Privileged bool     `json:"privileged"` // CRI admits privileged containers to it
	Containers []Container
}

// Container is one of a pod's, its own ("sandbox") included.
type Container struct {
	Name           string                     `json:"name"`
	Refused        string                     `json:"refused"` // who does not start it, and why
	HostNamespaces []specs.LinuxNamespaceType `json:"hostNamespaces"`
	Notes          map[string]string          `json:"notes"`
	Patch          json.RawMessage            `json:"patch"`
	Spec           *specs.Spec                `json:"-"`
}

// sandbox is the name of a pod's own container.
const sandbox = "sandbox"

// Read reads what command convert wrote.
func Read(data []byte) (*Standard, error) {
	files := map[string][]byte{}
	for _, f := range txtar.Parse(data).Files {
		files[f.Name] = f.Data
	}
	s := &Standard{}
	for line := range strings.Lines(string(files["checks.txt"])) {
		level, id, ok := strings.Cut(strings.TrimSpace(line), ": ")
		if !ok {
			return nil, fmt.Errorf("checks.txt: %q is no check", line)
		}
		s.Checks = append(s.Checks, Check{level, id})
	}
	d := json.NewDecoder(bytes.NewReader(files["pods.jsonl"]))
	d.DisallowUnknownFields()
	for d.More() {
		var p Pod
		if err := d.Decode(&p); err != nil {
			return nil, fmt.Errorf("pods.jsonl, after %d pods: %w", len(s.Pods), err)
		}
		level, _, _ := strings.Cut(p.Name, "/")
		for i := range p.Containers {
			base := files[level+".json"]
			if p.Containers[i].Name == sandbox {
				base = files["sandbox.json"]
			}
			if err := p.Containers[i].patch(base); err != nil {
				return nil, fmt.Errorf("%s: %w", p.Name, err)
			}
		}
		s.Pods = append(s.Pods, p)
	}
	return s, nil
}

// patch makes the spec of the base and the container's changes.
func (c *Container) patch(base []byte) error {
	if c.Refused != "" {
		return nil
	}
	var target, patch any
	if err := json.Unmarshal(base, &target); err != nil {
		return err
	}
	if len(c.Patch) > 0 {
		if err := json.Unmarshal(c.Patch, &patch); err != nil {
			return err
		}
		target = merge(target, patch)
	}
	data, err := json.Marshal(target)
	if err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	c.Spec = &specs.Spec{}
	return d.Decode(c.Spec)
}

// merge is RFC 7386, section 2.
func merge(target, patch any) any {
	changes, ok := patch.(map[string]any)
	if !ok {
		return patch
	}
	old, _ := target.(map[string]any)
	out := maps.Clone(old)
	if out == nil {
		out = map[string]any{}
	}
	for name, value := range changes {
		if value == nil {
			delete(out, name)
			continue
		}
		out[name] = merge(out[name], value)
	}
	return out
}

// Level is the level whose check it is; empty for what the standards do not have.
func (s *Standard) Level(id string) string {
	for _, c := range s.Checks {
		if c.ID == id {
			return c.Level
		}
	}
	return ""
}

// Passes says whether no check of the level refuses the pod; restricted has the
// checks of baseline too.
func (s *Standard) Passes(p Pod, level string) bool {
	return !slices.ContainsFunc(p.Fails, func(id string) bool { return level == "restricted" || s.Level(id) == level })
}

// everything is what a gate sees that has the whole spec and the node, such as
// the wrapper of runc.
const everything = policy.FactSpec | policy.FactHost | policy.FactPrivilegedPod | policy.FactPorts | policy.FactImage

// Subject is the container as a gate on a node with AppArmor and SELinux would
// put it to the rules.
func (c *Container) Subject(p Pod) *policy.Subject {
	notes := map[string]string{policy.KubeletHashNote: "a1b2c3d4"}
	maps.Copy(notes, c.Notes)
	ports, _ := policy.KubeletPorts(notes)
	own := map[specs.LinuxNamespaceType]bool{}
	for _, kind := range []specs.LinuxNamespaceType{specs.PIDNamespace, specs.NetworkNamespace, specs.IPCNamespace, specs.UTSNamespace, specs.UserNamespace, specs.CgroupNamespace} {
		named := slices.ContainsFunc(c.Spec.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == kind })
		own[kind] = !named || slices.Contains(c.HostNamespaces, kind)
	}
	return &policy.Subject{
		ID: "41d0c9f3b7a68252e1f0d9c8b7a6958473625140f3e2d1c0bfae9d8c7b6a5948", Name: c.Name, Gate: policy.GateWrapper, Runtime: "cri",
		Pod:  policy.Pod{Namespace: "clinic-a", UID: c.Spec.Annotations["io.kubernetes.cri.sandbox-uid"]},
		Spec: c.Spec, Sees: everything, Ports: ports, PrivilegedPod: p.Privileged,
		Host: policy.Host{OwnNamespace: own, Kernel: policy.Kernel{AppArmor: true, SELinux: true}},
	}
}
