package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"

	jsonpatch "github.com/evanphx/json-patch/v5"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	corev1 "k8s.io/api/core/v1"
	psapi "k8s.io/pod-security-admission/api"
	"k8s.io/pod-security-admission/policy"
)

// What the archive holds; test/podsecurity reads it.
type (
	podLine struct {
		Name       string          `json:"name"`
		Fails      []string        `json:"fails"`             // the standard's checks that refuse it
		Refused    string          `json:"refused,omitempty"` // who starts none of it, and why
		Privileged bool            `json:"privileged,omitempty"`
		Containers []containerLine `json:"containers,omitempty"`
	}
	containerLine struct {
		Name           string                     `json:"name"`
		Refused        string                     `json:"refused,omitempty"` // who does not start it, and why
		HostNamespaces []specs.LinuxNamespaceType `json:"hostNamespaces,omitempty"`
		Notes          map[string]string          `json:"notes,omitempty"` // the kubelet's annotations that CRI shows
		Patch          json.RawMessage            `json:"patch,omitempty"` // of the base, RFC 7386
	}
)

const note = `The test pods of the Kubernetes Pod Security Standards %s
(%s %s) as containerd's CRI gives them to the runtime.
Made by: go run -C test/podsecurity/convert . > test/podsecurity/testdata/pods.txtar
baseline.json, restricted.json and sandbox.json are the specs of an ordinary container of
each level and of a pod's own container; pods.jsonl has what others change in them.
`

// archive writes the pods as a txtar.
func archive(pods []fixture, version string) ([]byte, error) {
	w := writer{bases: map[string][]byte{}}
	fmt.Fprintf(&w.out, note, standard.String(), module, version)
	w.checks()
	for _, level := range []psapi.Level{psapi.LevelBaseline, psapi.LevelRestricted} {
		if err := w.ordinary(pods, level); err != nil {
			return nil, err
		}
	}
	w.out.WriteString("-- pods.jsonl --\n")
	for _, f := range pods {
		if err := w.pod(f); err != nil {
			return nil, fmt.Errorf("%s: %w", f.name, err)
		}
	}
	return w.out.Bytes(), w.err
}

type writer struct {
	out   bytes.Buffer
	bases map[string][]byte
	err   error
}

// ordinary writes the container of a level's plainest pod, as base of the others.
func (w *writer) ordinary(pods []fixture, level psapi.Level) error {
	name := string(level) + "/pass/base"
	i := slices.IndexFunc(pods, func(f fixture) bool { return f.name == name })
	if i < 0 {
		return fmt.Errorf("the standard has no pod %s", name)
	}
	pod := pods[i].pod
	sandbox, c := sandboxConfig(pod), &pod.Spec.Containers[0]
	spec, err := containerSpec(sandbox, containerConfig(pod, c), imageUser(pod, c))
	if err != nil {
		return err
	}
	w.base(string(level), spec)
	if level == psapi.LevelBaseline {
		pause, err := sandboxSpec(sandbox)
		if err != nil {
			return err
		}
		w.base("sandbox", pause)
	}
	return nil
}

// checks writes the standard's checks by the level that demands them.
func (w *writer) checks() {
	levels := map[string]string{}
	for _, c := range policy.DefaultChecks() {
		if current(c) != nil {
			levels[string(c.ID)] = string(c.Level)
		}
	}
	w.out.WriteString("-- checks.txt --\n")
	for _, id := range slices.Sorted(maps.Keys(levels)) {
		fmt.Fprintf(&w.out, "%s: %s\n", levels[id], id)
	}
}

func (w *writer) base(name string, spec *specs.Spec) {
	data, err := json.Marshal(spec)
	w.err = errors.Join(w.err, err)
	w.bases[name] = data
	var indented bytes.Buffer
	w.err = errors.Join(w.err, json.Indent(&indented, data, "", " "))
	fmt.Fprintf(&w.out, "-- %s.json --\n%s\n", name, indented.Bytes())
}

func (w *writer) pod(f fixture) error {
	line := podLine{Name: f.name, Fails: f.fails, Privileged: anyPrivileged(f.pod)}
	if line.Fails == nil {
		line.Fails = []string{}
	}
	if os := f.pod.Spec.OS; os != nil && os.Name != corev1.Linux {
		line.Refused = "the kubelet of a Linux node: the pod is for " + string(os.Name)
		return w.line(line)
	}
	sandbox := sandboxConfig(f.pod)
	pause, err := sandboxSpec(sandbox)
	if err := w.add(&line, containerLine{Name: "sandbox"}, w.bases["sandbox"], pause, err); err != nil {
		return err
	}
	for _, c := range podContainers(f.pod) {
		config := containerConfig(f.pod, &c)
		spec, err := containerSpec(sandbox, config, imageUser(f.pod, &c))
		out := containerLine{Name: c.Name, Notes: config.Annotations,
			HostNamespaces: hostNamespaces(sandbox.GetLinux().GetSecurityContext().GetNamespaceOptions())}
		if err := w.add(&line, out, w.bases[string(f.level)], spec, err); err != nil {
			return err
		}
	}
	return w.line(line)
}

// add appends a container, or that containerd refuses it.
func (w *writer) add(line *podLine, c containerLine, base []byte, spec *specs.Spec, err error) error {
	if errors.Is(err, errLevel) {
		line.Containers = append(line.Containers, containerLine{Name: c.Name, Refused: err.Error()})
		return nil
	}
	if err != nil {
		return err
	}
	data, err := json.Marshal(spec)
	if err != nil {
		return err
	}
	patch, err := jsonpatch.CreateMergePatch(base, data)
	if err != nil {
		return err
	}
	if string(patch) != "{}" {
		c.Patch = patch
	}
	line.Containers = append(line.Containers, c)
	return nil
}

func (w *writer) line(l podLine) error {
	data, err := json.Marshal(l)
	if err != nil {
		return err
	}
	w.out.Write(append(data, '\n'))
	return nil
}
