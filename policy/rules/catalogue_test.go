package rules

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/phigate/phigate/policy"
)

var update = flag.Bool("update", false, "write the files that are generated from the catalogue")

// everything is what a door with the whole spec and the host sees.
const everything = policy.FactSpec | policy.FactHost | policy.FactPrivilegedPod | policy.FactPorts | policy.FactImage

// ruleCase is one case in a rule's txtar.
type ruleCase struct {
	Sees          []string                          `json:"sees"` // none: everything
	ID            string                            `json:"id"`
	Pod           string                            `json:"pod"`
	PrivilegedPod bool                              `json:"privilegedPod"`
	RealPath      map[string]string                 `json:"realPath"`
	BlockDevice   map[string]bool                   `json:"blockDevice"`
	OwnNamespace  map[specs.LinuxNamespaceType]bool `json:"ownNamespace"`
	Sockets       []string                          `json:"sockets"`
	Kernel        policy.Kernel                     `json:"kernel"`
	Labels        map[string]string                 `json:"labels"`
	PHIVolumes    []string                          `json:"phiVolumes"`
	Foreign       []string                          `json:"foreignVolumes"`
	Storage       map[string]policy.Storage         `json:"storage"`
	Image         string                            `json:"image"`
	Runtime       string                            `json:"runtime"`
	Ports         []policy.Port                     `json:"ports"`
	Spec          *specs.Spec                       `json:"spec"`
	Want          []string                          `json:"want"` // "field: message"
}

func (c ruleCase) subject(t *testing.T) *policy.Subject {
	t.Helper()
	s := &policy.Subject{
		ID: c.ID, Pod: policy.Pod{UID: c.Pod, Labels: c.Labels}, PrivilegedPod: c.PrivilegedPod, Spec: c.Spec, Sees: everything,
		Image: policy.Image{Ref: c.Image}, Runtime: c.Runtime, Ports: c.Ports,
		PHIVolumes: c.PHIVolumes, GrantedPHIVolumes: c.PHIVolumes, ForeignPHIVolumes: c.Foreign,
		Host: policy.Host{RealPath: c.RealPath, BlockDevice: c.BlockDevice, OwnNamespace: c.OwnNamespace, Sockets: c.Sockets, Kernel: c.Kernel, Storage: c.Storage},
	}
	if c.Sees != nil {
		s.Sees = 0
	}
	for _, name := range c.Sees {
		before := s.Sees
		for bit := policy.Facts(1); bit <= policy.FactHostStorage; bit <<= 1 {
			if bit.String() == name {
				s.Sees |= bit
			}
		}
		if s.Sees == before {
			t.Fatalf("unknown fact %q", name)
		}
	}
	return s
}

func decode(t testing.TB, data []byte, out any) {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(out); err != nil {
		t.Fatal(err)
	}
}

// lines are findings as the cases write them.
func lines(found []policy.Finding) []string {
	out := []string{}
	for _, f := range found {
		out = append(out, f.Where.Field+": "+f.Message)
	}
	return out
}

// TestRules asks each rule about the cases of its txtar.
func TestRules(t *testing.T) {
	for _, r := range All() {
		t.Run(r.ID, func(t *testing.T) {
			archive, err := txtar.ParseFile(filepath.Join("testdata", r.ID+".txtar"))
			if err != nil {
				t.Fatal(err)
			}
			clean, violating := 0, 0
			for _, file := range archive.Files {
				name := strings.TrimSuffix(file.Name, ".json")
				c := ruleCase{Want: []string{}}
				decode(t, file.Data, &c)
				if len(c.Want) == 0 && strings.HasPrefix(name, "clean_") {
					clean++
				}
				if len(c.Want) > 0 && strings.HasPrefix(name, "violating_") {
					violating++
				}
				t.Run(name, func(t *testing.T) { ask(t, r, c) })
			}
			if clean == 0 || violating == 0 || clean+violating != len(archive.Files) {
				t.Errorf("%d clean_ and %d violating_ cases of %d, want at least one of each and no others", clean, violating, len(archive.Files))
			}
		})
	}
}

func ask(t *testing.T, r policy.Rule, c ruleCase) {
	s := c.subject(t)
	if !s.Sees.Has(r.Needs) && (r.Early == 0 || !s.Sees.Has(r.Early)) {
		t.Fatalf("the case sees %s, with which %s is never asked", s.Sees, r.ID)
	}
	found := r.Check(s)
	if diff := cmp.Diff(c.Want, lines(found)); diff != "" {
		t.Errorf("findings (-want +got):\n%s", diff)
	}
	for _, f := range found {
		if f.Rule != r.ID {
			t.Errorf("finding of rule %q, want %q", f.Rule, r.ID)
		}
	}
}

// rows are the checks on the spec that the catalogue of HIPAA safeguards numbers.
const rows = 32

// TestCatalogue demands of each rule what reports print, and one txtar per rule.
func TestCatalogue(t *testing.T) {
	kebab := regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
	row := regexp.MustCompile(`^OCI-0\d\d(-[a-z]+)?$`)
	seen := map[string]bool{}
	for _, r := range All() {
		unique := append([]string{r.ID}, r.Aliases...)
		for _, name := range unique {
			if seen[name] {
				t.Errorf("%s: %s is used twice", r.ID, name)
			}
			seen[name] = true
		}
		switch {
		case !kebab.MatchString(r.ID):
			t.Errorf("ID %q is not kebab-case", r.ID)
		case len(r.Aliases) == 0 || !row.MatchString(r.Aliases[0]):
			t.Errorf("%s has no row number", r.ID)
		case len(r.Cites) == 0:
			t.Errorf("%s has no citation", r.ID)
		case r.Title == "" || strings.HasSuffix(r.Title, "."):
			t.Errorf("%s: title is empty or ends with a period", r.ID)
		case !strings.Contains(r.Rationale, "164."):
			t.Errorf("%s: the rationale does not name its paragraph", r.ID)
		case !strings.HasSuffix(r.Fix, "."):
			t.Errorf("%s: the fix is not a sentence", r.ID)
		case r.Needs == 0 || r.Check == nil:
			t.Errorf("%s declares no needs or has no check", r.ID)
		case r.Early != 0 && r.Early.Has(r.Needs):
			t.Errorf("%s: early facts hold its needs, so they mean nothing", r.ID)
		}
		for _, c := range r.Cites {
			if !strings.Contains(r.Rationale, c.Paragraph()) {
				t.Errorf("%s cites %s and its rationale does not say why", r.ID, c)
			}
		}
	}
	for n := 1; n <= rows; n++ {
		if row := fmt.Sprintf("OCI-%03d", n); !seen[row] {
			t.Errorf("row %s of the catalogue has no rule", row)
		}
	}
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if id := strings.TrimSuffix(filepath.Base(f), ".txtar"); !seen[id] {
			t.Errorf("%s belongs to no rule", f)
		}
	}
}

// isolation are the rows whose rules platform namespaces soften.
var isolation = []string{
	"OCI-001", "OCI-002", "OCI-002-added", "OCI-002-kept", "OCI-003", "OCI-004", "OCI-004-folder", "OCI-010", "OCI-011", "OCI-012", "OCI-012-port", "OCI-013", "OCI-013-user", "OCI-014", "OCI-015",
	"OCI-016", "OCI-017", "OCI-018", "OCI-019", "OCI-020", "OCI-021",
}

func TestIsolationMarksTheRulesOfIsolationAlone(t *testing.T) {
	for _, r := range All() {
		if want := slices.Contains(isolation, r.Aliases[0]); r.Isolation != want {
			t.Errorf("%s: isolation is %t, want %t", r.ID, r.Isolation, want)
		}
	}
}

// TestMarkdown holds RULES.md to the catalogue.
func TestMarkdown(t *testing.T) {
	var b bytes.Buffer
	if err := Markdown(&b, All()); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("RULES.md", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("RULES.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(b.String(), string(got)); diff != "" {
		t.Errorf("RULES.md is not what the catalogue says; run go test -update (-want +got):\n%s", diff)
	}
}

// byAction are the IDs of the rules that were violated, by their default action.
func byAction(found []policy.Finding, rules []policy.Rule) map[policy.Action][]string {
	out := map[policy.Action][]string{}
	for _, r := range rules {
		if slices.ContainsFunc(found, func(f policy.Finding) bool { return f.Rule == r.ID }) {
			out[r.Default] = append(out[r.Default], r.ID)
		}
	}
	return out
}

// TestOrdinaryPod holds the catalogue to what containerd 2.4.2's CRI makes for
// a pod that asks for nothing special, and for a privileged one.
func TestOrdinaryPod(t *testing.T) {
	for _, tt := range []struct {
		name string
		want map[policy.Action][]string
	}{
		{"ordinary", map[policy.Action][]string{
			policy.Warn:  {"run-as-root", "no-new-privileges-off", "seccomp-unconfined", "core-dumps-enabled"},
			policy.Audit: {"capabilities-kept", "host-user-namespace", "writable-root-filesystem", "image-not-pinned", "resource-limits-missing"},
		}},
		{"privileged", map[policy.Action][]string{
			policy.Block: {"privileged", "host-device"},
			policy.Warn:  {"dangerous-capability", "capability-added", "run-as-root", "no-new-privileges-off", "seccomp-unconfined", "unmasked-kernel-paths", "core-dumps-enabled"},
			policy.Audit: {"capabilities-kept", "host-user-namespace", "writable-root-filesystem", "image-not-pinned", "resource-limits-missing"},
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			data, err := os.ReadFile(filepath.Join("testdata/specs", tt.name+".json"))
			if err != nil {
				t.Fatal(err)
			}
			s := &policy.Subject{
				ID:  "41d0c9f3b7a68252e1f0d9c8b7a6958473625140f3e2d1c0bfae9d8c7b6a5948",
				Pod: policy.Pod{Namespace: "clinic-a", UID: "6b1f3f0e-8a0c-4a51-9d4a-0d6f6f0b7a11"}, Spec: &specs.Spec{}, Sees: everything,
				PrivilegedPod: tt.name == "privileged", Runtime: "cri", Image: policy.Image{Ref: "registry.example/portal:1.2"},
				Host: policy.Host{Kernel: policy.Kernel{CorePattern: "core"}},
			}
			decode(t, data, s.Spec)
			var found []policy.Finding
			for _, r := range All() {
				found = append(found, r.Check(s)...)
			}
			if diff := cmp.Diff(tt.want, byAction(found, All())); diff != "" {
				t.Errorf("rules by action (-want +got):\n%s\n%s", diff, strings.Join(lines(found), "\n"))
			}
		})
	}
}

// TestPrivilegedIsKnownBeforeStart holds the rules to NRI's partial spec: at
// ValidateContainerAdjustment capabilities are not seen.
func TestPrivilegedIsKnownBeforeStart(t *testing.T) {
	for _, name := range []string{"ordinary", "privileged"} {
		data, err := os.ReadFile(filepath.Join("testdata/specs", name+".json"))
		if err != nil {
			t.Fatal(err)
		}
		// Both containers are of a pod that admits privileged ones.
		s := &policy.Subject{Spec: &specs.Spec{}, PrivilegedPod: true, Sees: policy.FactMounts | policy.FactDeviceRules | policy.FactPrivilegedPod}
		decode(t, data, s.Spec)
		s.Spec.Process = nil
		if found := privileged.Check(s); (len(found) > 0) != (name == "privileged") {
			t.Errorf("%s container: %d findings before the start", name, len(found))
		}
	}
}

// TestNoValueIsTold plants values in the environment and looks for them in
// everything that rules say.
func TestNoValueIsTold(t *testing.T) {
	planted := []string{
		"hunter2-Correct-Horse", "AKIA" + "QQQQWWWWEEEERRRR", "ghp_" + strings.Repeat("Zz9", 12), "536-22-1234", "MR0042317",
		"1974-03-12", "2AC3DE4FG56", "9f86d081884c7d659a2feaa0c55ad015",
	}
	var env []string
	for i, v := range planted {
		env = append(env, v, "DB_PASSWORD="+v, "PATIENT_SSN="+v, "PATIENT_DOB="+v, "MRN="+v, "MBI="+v, v+"="+v, "SSN_"+v+"="+v,
			fmt.Sprintf("URL%d=postgres://u:%s@db/x", i, v), "TEXT=ssn: "+v, "API_KEY="+v)
	}
	s := &policy.Subject{Spec: &specs.Spec{Process: &specs.Process{Env: env, Args: []string{"sh", "-c", strings.Join(env, " ")}}}, Sees: everything}
	told := []any{EnvSecrets(env), OfferedPorts(s)}
	count := 0
	for _, r := range All() {
		found := r.Check(s)
		count += len(found)
		told = append(told, found)
	}
	if count < len(planted) {
		t.Fatalf("%d findings of %d planted values: the test would prove nothing", count, len(planted))
	}
	text, err := json.Marshal(told)
	if err != nil {
		t.Fatal(err)
	}
	for i, v := range planted {
		if at := bytes.Index(text, []byte(v)); at >= 0 {
			t.Errorf("planted value %d is told at offset %d", i, at)
		}
	}
}

// FuzzCheck asks every rule about any spec that JSON can say, with any facts:
// none panics, and none finds without a place and a message.
func FuzzCheck(f *testing.F) {
	for _, name := range []string{"ordinary", "privileged"} {
		data, err := os.ReadFile(filepath.Join("testdata/specs", name+".json"))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data, uint32(everything))
	}
	for _, spec := range []string{
		`null`, `{}`, `{"process":null}`, `{"process":{"env":["=","","A","PORT=","SSN=1-"],"args":["sh","-c"],"capabilities":null}}`,
		`{"linux":{"devices":[{}],"resources":{"devices":[{"allow":true}]},"namespaces":[{}],"uidMappings":[{}]}}`,
		`{"mounts":[{"source":"\u0000","options":["bind"]},{"source":"/io.containerd.grpc.v1.cri/sandboxes/","type":"bind"},{"source":"..","options":["rbind"]}]}`,
		`{"process":{"args":["busybox","sh","-c",";;&|tcpsvd 0"]}}`, `{"process":{"args":["tini"]}}`, `{"process":{"args":["python3","-m"]}}`,
	} {
		f.Add([]byte(spec), uint32(everything))
		f.Add([]byte(spec), uint32(0))
	}
	f.Fuzz(func(t *testing.T, data []byte, sees uint32) {
		var spec *specs.Spec
		if json.Unmarshal(data, &spec) != nil {
			return
		}
		s := &policy.Subject{Spec: spec, Sees: policy.Facts(sees), Host: policy.Host{RealPath: map[string]string{}}}
		if spec != nil {
			for _, m := range spec.Mounts {
				s.Host.RealPath[m.Source] = m.Destination
			}
		}
		for _, r := range All() {
			for _, found := range r.Check(s) {
				if found.Rule != r.ID || found.Where.Field == "" || found.Message == "" {
					t.Errorf("%s: a finding without rule, place or message", r.ID)
				}
			}
		}
		OfferedPorts(s)
		SecretMounts(s)
	})
}
