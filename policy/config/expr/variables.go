package expr

import (
	"path"
	"reflect"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/rules"
)

// The types of the variables, by the names of the JSON in which records and
// specs write the same things.
type (
	container struct {
		ID      string `json:"id"`
		Name    string `json:"name"`
		Runtime string `json:"runtime"` // as selector.runtimes has it; "" at rest

		Args   []string          `json:"args"`
		Env    map[string]string `json:"env"`
		UID    int64             `json:"uid"`
		GID    int64             `json:"gid"`
		Mounts []mount           `json:"mounts"`
		Ports  []port            `json:"ports"`
	}
	mount struct {
		Source      string   `json:"source"`
		Destination string   `json:"destination"`
		Type        string   `json:"type"`
		Options     []string `json:"options"`
		ReadOnly    bool     `json:"readOnly"`
	}
	port struct {
		Number   int64  `json:"number"`
		Protocol string `json:"protocol"` // "tcp", "udp", "sctp"
	}
	pod struct {
		Namespace  string            `json:"namespace"`
		Name       string            `json:"name"`
		UID        string            `json:"uid"`
		Labels     map[string]string `json:"labels"`
		Privileged bool              `json:"privileged"` // it may have privileged containers
	}
	image struct {
		Ref      string `json:"ref"`      // as the user wrote it
		Name     string `json:"name"`     // without tag and digest
		Registry string `json:"registry"` // "docker.io" where none is written
		Tag      string `json:"tag"`
		Digest   string `json:"digest"` // of the manifest
	}
	finding struct {
		Rule        string `json:"rule"`
		Severity    string `json:"severity"` // "critical", "high", "medium", "low", "info"
		Path        string `json:"path"`
		Field       string `json:"field"`
		Layer       string `json:"layer"`
		Deleted     bool   `json:"deleted"`
		Synthetic   bool   `json:"synthetic"`
		Count       int64  `json:"count"`
		Individuals int64  `json:"individuals"` // the likeliest number
	}
	node struct {
		Name string `json:"name"`
	}
)

const findingType = "expr.finding"

// declarations are the variables that every expression can read.
func declarations() []cel.EnvOption {
	tag := types.ParseStructTag("json")
	return []cel.EnvOption{
		cel.Types(cel.NativeTypeFor[specs.Spec](tag), cel.NativeTypeFor[container](tag), cel.NativeTypeFor[pod](tag),
			cel.NativeTypeFor[image](tag), cel.NativeTypeFor[finding](tag), cel.NativeTypeFor[node](tag)),
		cel.Variable("spec", cel.ObjectType("specs-go.Spec")), cel.Variable("container", cel.ObjectType("expr.container")),
		cel.Variable("pod", cel.ObjectType("expr.pod")), cel.Variable("image", cel.ObjectType("expr.image")),
		cel.Variable("node", cel.ObjectType("expr.node")),
	}
}

// Words are the variables and their fields, for suggestions.
func Words() []string {
	words := []string{"spec", "container", "pod", "image", "findings", "node", "now"}
	seen := map[reflect.Type]bool{}
	var add func(t reflect.Type)
	add = func(t reflect.Type) {
		for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
			t = t.Elem()
		}
		if t.Kind() != reflect.Struct || seen[t] {
			return
		}
		seen[t] = true
		for _, f := range reflect.VisibleFields(t) {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
				words = append(words, name)
				add(f.Type)
			}
		}
	}
	for _, t := range []reflect.Type{
		reflect.TypeFor[container](), reflect.TypeFor[pod](), reflect.TypeFor[image](), reflect.TypeFor[finding](), reflect.TypeFor[node](), reflect.TypeFor[specs.Spec](),
	} {
		add(t)
	}
	slices.Sort(words)
	return slices.Compact(words)
}

// activation gives an expression its variables, each made when it is asked for.
type activation struct{ given policy.Circumstances }

func (a *activation) Parent() cel.Activation { return nil }

func (a *activation) ResolveName(name string) (any, bool) {
	s := a.given.Subject
	switch name {
	case "spec":
		if s.Spec == nil {
			return &specs.Spec{}, true
		}
		return s.Spec, true
	case "container":
		return containerOf(s), true
	case "pod":
		return &pod{s.Pod.Namespace, s.Pod.Name, s.Pod.UID, s.Pod.Labels, s.PrivilegedPod}, true
	case "image":
		return imageOf(s.Image), true
	case "findings":
		return findingsOf(a.given.Findings), true
	case "node":
		return &node{s.Host.Name}, true
	case "now":
		return a.given.Now, true
	}
	return nil, false
}

func containerOf(s *policy.Subject) *container {
	c := &container{ID: s.ID, Name: s.Name, Runtime: s.Runtime, Env: map[string]string{}}
	for _, p := range rules.OfferedPorts(s) {
		protocol := strings.ToLower(p.Protocol)
		if protocol == "" {
			protocol = "tcp"
		}
		c.Ports = append(c.Ports, port{int64(p.Number), protocol})
	}
	if s.Spec == nil {
		return c
	}
	if p := s.Spec.Process; p != nil {
		c.Args, c.UID, c.GID = p.Args, int64(p.User.UID), int64(p.User.GID)
		for _, entry := range p.Env {
			key, value, _ := strings.Cut(entry, "=")
			c.Env[key] = value
		}
	}
	for _, m := range s.Spec.Mounts {
		c.Mounts = append(c.Mounts, mount{m.Source, path.Clean("/" + m.Destination), m.Type, m.Options, slices.Contains(m.Options, "ro")})
	}
	return c
}

func imageOf(of policy.Image) *image {
	name := NameOf(of.Ref)
	return &image{Ref: of.Ref, Name: name.Name, Registry: name.Registry, Tag: name.Tag, Digest: of.Digest}
}

// ImageName is an image reference, taken apart.
type ImageName struct{ Registry, Name, Tag string }

// NameOf takes a reference apart as it is written: registry/name:tag@digest. The
// name includes the registry where one is written, else that is docker.io.
func NameOf(ref string) ImageName {
	out := ImageName{Registry: "docker.io"}
	out.Name, _, _ = strings.Cut(ref, "@")
	if colon := strings.LastIndexByte(out.Name, ':'); colon > strings.LastIndexByte(out.Name, '/') {
		out.Name, out.Tag = out.Name[:colon], out.Name[colon+1:]
	}
	if first, _, ok := strings.Cut(out.Name, "/"); ok && (strings.ContainsAny(first, ".:") || first == "localhost") {
		out.Registry = first
	}
	return out
}

func findingsOf(found []policy.Found) []finding {
	out := make([]finding, len(found))
	for i, f := range found {
		out[i] = finding{
			Rule: f.Rule, Severity: f.Severity.String(), Path: f.Where.Full(), Field: f.Where.Field, Layer: f.Where.Layer, Deleted: f.Where.Deleted,
			Synthetic: f.Synthetic, Count: int64(max(f.Count, 1)), Individuals: int64(f.Individuals.Point),
		}
	}
	return out
}
