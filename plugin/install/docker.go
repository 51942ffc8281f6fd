package install

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// dockersOwn is the runtime that Docker has without being told, and dockersName the wrapper's.
const (
	dockersOwn  = "runc"
	dockersName = "phigate"
)

// docker has Docker's default runtime be the wrapper, where the PATH does not lead to it already.
//
// The steps of docker build take the runc in dockerd's PATH whatever the default runtime is, so the PATH is the
// better way, and the only one by default.
func (p *planner) docker(real string, byPath bool) error {
	before, err := p.tree.look(DockerConfig)
	if err != nil || !before.exists && (byPath || !slices.Contains(p.tree.Units(), "docker")) {
		return err
	}
	d, err := readDocker(before.data)
	if err != nil {
		return fmt.Errorf("%s: %w; nothing was changed", DockerConfig, err)
	}
	switch now := d.program(); {
	case d.standard == dockersName, p.tree.Wrapped(now), byPath && d.standard == "", byPath && d.standard == dockersOwn:
		return nil
	case d.standard != "" && d.standard != dockersOwn && p.tree.Follow(now) != p.tree.Follow(real):
		p.left("Docker's default runtime is %s (%s), and the wrapper hands on to %s alone: see that it finds runc by its PATH, which leads to the wrapper", d.standard, DockerConfig, real)
		return nil
	}
	if !byPath {
		p.left("the steps of docker build take the runc in dockerd's PATH: for those, phigate install --wrapper=path")
	}
	data, err := d.withDefault(dockersName, Wrapper)
	if err != nil {
		return fmt.Errorf("%s: %w; nothing was changed", DockerConfig, err)
	}
	after := entry{exists: true, mode: 0o644, data: data}
	if before.exists {
		after.mode, after.uid, after.gid = before.mode, before.uid, before.gid
	}
	return p.want(DockerConfig, after, "Docker's default runtime, the wrapper")
}

// dockerd is daemon.json: what phigate has to know of it, and all of it in its order.
type dockerd struct {
	standard string // default-runtime
	runtimes []member
	members  []member
}

type member struct {
	key   string
	value json.RawMessage
}

func readDocker(data []byte) (d dockerd, err error) {
	if len(bytes.TrimSpace(data)) == 0 {
		return d, nil
	}
	if d.members, err = members(data); err != nil {
		return d, err
	}
	for _, m := range d.members {
		switch m.key {
		case "default-runtime":
			err = json.Unmarshal(m.value, &d.standard)
		case "runtimes":
			d.runtimes, err = members(m.value)
		}
		if err != nil {
			return d, fmt.Errorf("%s is not what dockerd takes", m.key)
		}
	}
	return d, nil
}

// program is the path of the default runtime, or "" where Docker knows it by itself.
func (d dockerd) program() string {
	for _, m := range d.runtimes {
		var r struct {
			Path string `json:"path"`
		}
		if m.key == d.standard && json.Unmarshal(m.value, &r) == nil {
			return r.Path
		}
	}
	return ""
}

// withDefault is the file with one more runtime, which is the default. All other keys stay, in their order.
func (d dockerd) withDefault(name, program string) ([]byte, error) {
	runtime, err := json.Marshal(map[string]string{"path": program})
	if err != nil {
		return nil, err
	}
	runtimes, err := object(set(d.runtimes, name, runtime))
	if err != nil {
		return nil, err
	}
	text, err := object(set(set(d.members, "default-runtime", json.RawMessage(`"`+name+`"`)), "runtimes", runtimes))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	if err := json.Indent(&out, text, "", "  "); err != nil {
		return nil, err
	}
	return append(out.Bytes(), '\n'), nil
}

func set(list []member, key string, value json.RawMessage) []member {
	out := slices.Clone(list)
	if i := slices.IndexFunc(out, func(m member) bool { return m.key == key }); i >= 0 {
		out[i].value = value
		return out
	}
	return append(out, member{key, value})
}

// members are those of a JSON object. One that stands twice is an error: which of them holds is nobody's guess.
func members(data []byte) ([]member, error) {
	in := json.NewDecoder(bytes.NewReader(data))
	if open, err := in.Token(); err != nil || open != json.Delim('{') {
		return nil, errors.New("it is no JSON object")
	}
	var out []member
	for in.More() {
		key, err := in.Token()
		if err != nil {
			return nil, fmt.Errorf("it is not JSON: %w", err)
		}
		m := member{key: key.(string)}
		if err := in.Decode(&m.value); err != nil {
			return nil, fmt.Errorf("it is not JSON: %w", err)
		}
		if slices.ContainsFunc(out, func(o member) bool { return strings.EqualFold(o.key, m.key) }) {
			return nil, fmt.Errorf("%q stands twice", m.key)
		}
		out = append(out, m)
	}
	if _, err := in.Token(); err != nil {
		return nil, fmt.Errorf("it is not JSON: %w", err)
	}
	if _, err := in.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the JSON object")
	}
	return out, nil
}

func object(list []member) (json.RawMessage, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range list {
		key, err := json.Marshal(m.key)
		if err != nil {
			return nil, err
		}
		if i > 0 {
			b.WriteByte(',')
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
