package handover

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/plugin/ask/judge"
	"github.com/phigate/phigate/policy"
)

// Ports that nerdctl publishes are found where each of its versions writes them: the texts are of the form of
// 1.7 (pkg/labels: nerdctl/ports) and 2.2 (pkg/netutil/networkstore).
func TestNerdctlPorts(t *testing.T) {
	const (
		mapping = `[{"HostPort":8021,"ContainerPort":21,"Protocol":"tcp","HostIP":"0.0.0.0"},{"HostPort":53,"ContainerPort":53,"Protocol":"udp","HostIP":"::"}]`
		file    = `{"portMappings":` + mapping + `}`
	)
	tests := map[string]struct {
		annotation, file string
		folder           func(right string) string
		ports            string
		failed           string
	}{
		"none":             {},
		"annotation":       {annotation: mapping, ports: "21/tcp annotations[nerdctl/ports][0], 53/udp annotations[nerdctl/ports][1]"},
		"file":             {file: file, ports: "21/tcp network-config.json portMappings[0], 53/udp network-config.json portMappings[1]"},
		"both":             {annotation: `[{"ContainerPort":80,"Protocol":"tcp"}]`, file: file, ports: "80/tcp annotations[nerdctl/ports][0], 21/tcp network-config.json portMappings[0], 53/udp network-config.json portMappings[1]"},
		"publishes_none":   {file: `{}`},
		"file_is_nonsense": {file: `[`, failed: "network-config.json is not JSON"},
		"mapping_is_none":  {file: `{"portMappings":7}`, failed: "is not JSON of its kind"},
		"port_is_none":     {file: `{"portMappings":[{"ContainerPort":70000,"Protocol":"tcp"}]}`, failed: "network-config.json portMappings"},
		"huge_file":        {file: strings.Repeat(" ", maxNerdctlFile+1), failed: "is no file of at most"},
		"folder_of_another": {file: file, folder: func(right string) string { return filepath.Dir(right) + "/c2" },
			failed: "nerdctl's folder of the container is not one of its kind"},
		"folder_is_relative": {file: file, folder: func(string) string { return "default/c1" }, failed: "not one of its kind"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			folder := filepath.Join(t.TempDir(), "containers/default/c1")
			if err := os.MkdirAll(folder, 0o700); err != nil {
				t.Fatal(err)
			}
			if test.file != "" {
				if err := os.WriteFile(filepath.Join(folder, "network-config.json"), []byte(test.file), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			w := world{verdict: policy.Allow, task: task("default", "", "")}
			w.task.Labels = map[string]string{"nerdctl/name": "portal", "nerdctl/state-dir": folder}
			if test.folder != nil {
				w.task.Labels["nerdctl/state-dir"] = test.folder(folder)
			}
			spec := &specs.Spec{Annotations: map[string]string{"nerdctl/namespace": "default"}}
			if test.annotation != "" {
				spec.Annotations["nerdctl/ports"] = test.annotation
			}
			a, s := w.judge(t, judge.Question{Door: "wrapper", Bundle: bundleOf("default")}, spec)
			if test.failed != "" {
				if a.Allow || !strings.Contains(a.Line, test.failed) {
					t.Errorf("got %+v, want %q", a, test.failed)
				}
				return
			}
			var got []string
			for _, p := range s.Ports {
				got = append(got, policy.Printable(strings.Join([]string{strconv.Itoa(int(p.Number)) + "/" + p.Protocol, p.Field}, " ")))
			}
			if strings.Join(got, ", ") != test.ports || s.Runtime != "nerdctl" {
				t.Errorf("got %v of %s, want %s", got, s.Runtime, test.ports)
			}
		})
	}
}
