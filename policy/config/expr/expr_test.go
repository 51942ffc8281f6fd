package expr

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/phigate/phigate/policy"
)

const secret = "PLANTED-hunter2"

func language(t testing.TB) *Language {
	l, err := New()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func given() policy.Circumstances {
	return policy.Circumstances{
		Subject: &policy.Subject{
			ID: "c1", Name: "portal", Runtime: "cri", Host: policy.Host{Name: "node-a"},
			Pod:   policy.Pod{Namespace: "clinic-a", Name: "portal-0", Labels: map[string]string{"tier": "phi"}},
			Image: policy.Image{Ref: "registry.example/clinic/portal:1.2@sha256:00", Digest: "sha256:00"},
			Ports: []policy.Port{{Number: 8080}},
			Sees:  policy.FactSpec | policy.FactPorts,
			Spec: &specs.Spec{
				Process: &specs.Process{Args: []string{"/portal", "--serve"}, Env: []string{"DB_PASS=" + secret, "MODE=live"}, User: specs.User{UID: 1000}},
				Root:    &specs.Root{Readonly: true},
				Mounts:  []specs.Mount{{Source: "/srv/ephi", Destination: "/data", Options: []string{"ro", "noexec"}}},
				Linux:   &specs.Linux{Namespaces: []specs.LinuxNamespace{{Type: specs.PIDNamespace}}, Sysctl: map[string]string{"net.core.somaxconn": "1"}},
			},
		},
		Findings: []policy.Found{{Finding: &policy.Finding{Rule: "phi-table", Where: policy.Where{Path: "/a"}, Individuals: policy.Individuals{Point: 12}}}},
		Now:      time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC),
	}
}

func TestConditions(t *testing.T) {
	l := language(t)
	for _, c := range []struct {
		text  string
		want  bool
		needs policy.Facts
		field string
	}{
		{`!image.name.startsWith("registry.example/")`, false, policy.FactImage, "image.name"},
		{`image.registry == "registry.example" && image.tag == "1.2" && image.digest == "sha256:00"`, true, policy.FactImage, "image.registry"},
		{`spec.root.readonly && container.uid == 1000`, true, policy.FactReadonlyRoot | policy.FactUser, "root.readonly"},
		{`spec.linux.namespaces.exists(n, n.type == "pid")`, true, policy.FactNamespaces, "linux.namespaces"},
		{`has(spec.linux.seccomp)`, false, policy.FactSeccomp, "linux.seccomp"},
		{`spec.linux.resources.memory.limit == 0`, true, policy.FactLimits, "linux.resources.memory.limit"},
		{`"net.core.somaxconn" in spec.linux.sysctl`, true, policy.FactSysctls, "linux.sysctl"},
		{`container.env["MODE"] == "live"`, true, policy.FactEnv, "container.env"},
		{`container.mounts.exists(m, m.source.startsWith("/srv") && !m.readOnly)`, false, policy.FactMounts, "container.mounts"},
		{`container.ports.exists(p, p.number == 8080 && p.protocol == "tcp")`, true, policy.FactPorts | policy.FactArgs | policy.FactEnv, "container.ports"},
		{`container.args[0].matches("^/portal$")`, true, policy.FactArgs, "container.args"},
		{`pod.labels["tier"] == "phi" && pod.namespace == "clinic-a"`, true, 0, "pod.labels"},
		{`pod.privileged`, false, policy.FactPrivilegedPod, "pod.privileged"},
		{`node.name == "node-a"`, true, 0, "node.name"},
		{`now > timestamp("2026-10-01T00:00:00Z")`, true, 0, "findings"},
		{`findings.exists(f, f.rule == "phi-table" && f.individuals >= 10) && !spec.root.readonly`, false, policy.FactReadonlyRoot, "root.readonly"},
		{`findings.filter(f, f.severity == "critical").size() >= 1`, true, 0, "findings"},
		{`0 < size(findings)`, true, 0, "findings"},
		{`spec.process.rlimits.size() == 0`, true, policy.FactRlimits, "process.rlimits"},
	} {
		p, problems := l.Condition(c.text)
		if p == nil {
			t.Errorf("%s: %v", c.text, problems)
			continue
		}
		got, spent, err := p.Ask(given(), maxCost)
		if err != nil || got != c.want || spent == 0 {
			t.Errorf("%s: got %v (%v), cost %d, want %v", c.text, got, err, spent, c.want)
		}
		if p.Needs != c.needs {
			t.Errorf("%s: needs %s, want %s", c.text, p.Needs, c.needs)
		}
		if p.Field != c.field {
			t.Errorf("%s: field %s, want %s", c.text, p.Field, c.field)
		}
	}
}

func TestProblems(t *testing.T) {
	l := language(t)
	for _, c := range []struct {
		text         string
		line, column int
		message      string
	}{
		{`image.nmae == "x"`, 1, 6, "undefined field 'nmae'"},
		{`spec.process.argz.size() > 0`, 1, 13, "undefined field 'argz'"},
		{`imag.name == "x"`, 1, 1, "undeclared reference to 'imag'"},
		{`image.name == 1`, 1, 12, "no matching overload"},
		{"true &&\n  image.nmae == 'x'", 2, 8, "undefined field"},
		{`image.name`, 0, 0, "must be true or false, and is of type string"},
		{`image.name ==`, 1, 14, "Syntax error"},
		{``, 0, 0, "an expression has 1 to"},
		{strings.Repeat("true && ", 1000) + "true", 0, 0, "an expression has 1 to"},
		{strings.Repeat("(", 200) + "true" + strings.Repeat(")", 200), 0, 0, ""},
		{`!findings.exists(f, f.rule == "x")`, 1, 1, "findings can only be asked by"},
		{`size(findings) == 0`, 1, 16, "findings can only be asked by"},
		{`findings.all(f, f.rule == "x")`, 1, 13, "findings can only be asked by"},
		{`findings.exists_one(f, f.rule == "x")`, 1, 20, "findings can only be asked by"},
		{`findings.exists(f, f.rule == "x") ? false : true`, 1, 35, "findings can only be asked by"},
		{`findings.exists(f, f.rule == "x") == false`, 1, 35, "findings can only be asked by"},
		{`findings.exists(f, findings.size() == 1)`, 1, 16, "findings can only be asked by"},
		{`size(findings) < 5`, 1, 16, "findings can only be asked by"},
		{`container.mounts.exists(a, container.mounts.exists(b, container.mounts.exists(c, a == b && b == c)))`, 0, 0, "can cost too much"},
		{`container.args.all(a, container.args.all(b, a.matches(b)))`, 0, 0, "can cost too much"},
	} {
		p, problems := l.Condition(c.text)
		if p != nil || len(problems) == 0 {
			t.Errorf("%.60s: compiled", c.text)
			continue
		}
		got := problems[0]
		if c.message != "" && (got.Line != c.line || got.Column != c.column || !strings.Contains(got.Message, c.message)) {
			t.Errorf("%.60s: got %+v, want %d:%d %s", c.text, got, c.line, c.column, c.message)
		}
	}
	for _, text := range []string{"size(findings) > 0", `now > timestamp("2026-10-01T00:00:00Z")`} {
		if p, _ := l.When(text); p != nil {
			t.Errorf("when: %s compiled", text)
		}
	}
}

// TestByAuthor: what a pod's author writes can only tighten.
func TestByAuthor(t *testing.T) {
	l := language(t)
	for text, want := range map[string]bool{
		`pod.namespace == "a"`: false, `image.name.startsWith("x")`: false, `container.runtime == "cri"`: false, `node.name == "a"`: false,
		`pod.labels["tier"] != "sandbox"`: true, `container.name == "a"`: true, `container.env["A"] == "b"`: true,
		`spec.hostname == "a"`: true, `pod.name == "a"`: true, `pod.namespace == "a" || pod.labels.size() > 0`: true,
	} {
		p, problems := l.When(text)
		if p == nil {
			t.Fatalf("%s: %v", text, problems)
		}
		if p.ByAuthor != want {
			t.Errorf("%s: by the author: got %v, want %v", text, p.ByAuthor, want)
		}
	}
}

// TestNoAnswer: what cannot be told is an error, and no error bears a value.
func TestNoAnswer(t *testing.T) {
	l := language(t)
	unknown := given()
	bare := *unknown.Subject
	bare.Image.Digest, bare.Host.Name = "", ""
	unknown.Subject = &bare
	many := given()
	large := *many.Subject
	large.Spec = &specs.Spec{Process: &specs.Process{Args: make([]string, 200_000)}}
	for i := range large.Spec.Process.Args {
		large.Spec.Process.Args[i] = secret
	}
	many.Subject = &large
	nowhere, atRest := *unknown.Subject, unknown
	nowhere.Never = policy.FactHost
	atRest.Subject = &nowhere
	for _, c := range []struct {
		text   string
		given  policy.Circumstances
		budget uint64
		want   error
	}{
		{`container.env["ABSENT"] == "x"`, given(), maxCost, errAnswer},
		{`container.env[container.env["DB_PASS"]] == "x"`, given(), maxCost, errAnswer},
		{`int(container.env["DB_PASS"]) == 1`, given(), maxCost, errAnswer},
		{`container.args[99] == "x"`, given(), maxCost, errAnswer},
		{`image.digest == "sha256:00"`, unknown, maxCost, errDigest},
		{`node.name == "node-a"`, unknown, maxCost, errNode},
		{`node.name == "node-a"`, atRest, maxCost, policy.ErrNothing},
		{`container.args.exists(a, a == "x")`, many, maxCost, errCost},
		{`true`, given(), 0, errBudget},
	} {
		p, problems := l.Condition(c.text)
		if p == nil {
			t.Fatalf("%s: %v", c.text, problems)
		}
		begin := time.Now()
		got, _, err := p.Ask(c.given, c.budget)
		if got || !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, %v, want %v", c.text, got, err, c.want)
		}
		if strings.Contains(fmt.Sprint(err), secret) {
			t.Errorf("%s: the error bears the value", c.text)
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("%s: took %v", c.text, took)
		}
	}
}

// FuzzCondition: any text is a condition or has a problem, and an answer ends.
func FuzzCondition(f *testing.F) {
	for _, text := range []string{
		`!image.name.startsWith("registry.example/")`, `findings.exists(f, f.rule == "x")`, `container.env["A"].matches("(a+)+$")`,
		`[1,2,3].map(x, x * 2).size() > 2`, `"a".matches("` + strings.Repeat("(", 50) + `")`, `{"a": {"b": [spec]}}.size() > 0`,
		`now - duration("1h") > timestamp(0)`, `true ? false : "x"`, "'\xff'", `spec.process.user.uid > 0u`, `dyn(spec).x == 1`,
	} {
		f.Add(text)
	}
	l := language(f)
	f.Fuzz(func(t *testing.T, text string) {
		p, problems := l.Condition(text)
		if (p == nil) != (len(problems) > 0) {
			t.Fatal("neither a program nor a problem, or both")
		}
		if p == nil {
			return
		}
		if _, spent, err := p.Ask(given(), maxCost); spent > 2*maxCost || err != nil && strings.Contains(err.Error(), secret) {
			t.Errorf("cost %d, error %v", spent, err)
		}
	})
}

func BenchmarkCondition(b *testing.B) {
	p, problems := language(b).Condition(`!image.name.startsWith("registry.example/") || container.mounts.exists(m, m.source == "/x")`)
	if p == nil {
		b.Fatal(problems)
	}
	c := given()
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := p.Ask(c, maxCost); err != nil {
			b.Fatal(err)
		}
	}
}
