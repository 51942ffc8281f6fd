package deploy

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"cel.dev/cel-go/cel"
	"github.com/goccy/go-yaml"

	"github.com/phigate/phigate/policy"
)

// admission is what the test reads of the objects in kubernetes/requester.yaml.
type admission struct {
	Kind     string
	Metadata struct{ Name string }
	Spec     struct {
		PolicyName string `yaml:"policyName"`
		Variables  []struct{ Name, Expression string }
		Mutations  []struct {
			ApplyConfiguration struct{ Expression string } `yaml:"applyConfiguration"`
		}
		Validations []struct{ Expression string }
	}
}

func requesterPolicies(t *testing.T) (byKind map[string]admission) {
	t.Helper()
	data, err := os.ReadFile("kubernetes/requester.yaml")
	if err != nil {
		t.Fatal(err)
	}
	byKind = map[string]admission{}
	for dec := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var a admission
		if err := dec.Decode(&a); errors.Is(err, io.EOF) {
			return byKind
		} else if err != nil {
			t.Fatal(err)
		}
		byKind[a.Kind] = a
	}
}

// evaluate gives an expression its value as the API server does: without types,
// which it checks against the objects' schemas besides.
func evaluate(t *testing.T, expression string, with map[string]any) any {
	t.Helper()
	env, err := cel.NewEnv(cel.Variable("object", cel.DynType), cel.Variable("oldObject", cel.DynType),
		cel.Variable("request", cel.DynType), cel.Variable("variables", cel.DynType))
	if err != nil {
		t.Fatal(err)
	}
	ast, issues := env.Compile(expression)
	if issues.Err() != nil {
		t.Fatal(issues.Err())
	}
	program, err := env.Program(ast)
	if err != nil {
		t.Fatal(err)
	}
	out, _, err := program.Eval(with)
	if err != nil {
		t.Fatal(err)
	}
	return out.Value()
}

func pod(annotations map[string]any) map[string]any {
	if annotations == nil {
		return map[string]any{"metadata": map[string]any{}}
	}
	return map[string]any{"metadata": map[string]any{"annotations": annotations}}
}

// The example for the API server writes the annotation that phigate reads, and
// refuses one that names another, or that changes.
func TestRequesterPolicies(t *testing.T) {
	all := requesterPolicies(t)
	for _, kind := range []string{"MutatingAdmissionPolicy", "ValidatingAdmissionPolicy"} {
		if bound := all[kind+"Binding"].Spec.PolicyName; all[kind].Metadata.Name == "" || bound != all[kind].Metadata.Name {
			t.Errorf("the %s %q is bound as %q", kind, all[kind].Metadata.Name, bound)
		}
	}
	writes := all["MutatingAdmissionPolicy"].Spec.Mutations[0].ApplyConfiguration.Expression
	if !strings.Contains(writes, `annotations: {"`+policy.RequesterAnnotation+`": request.userInfo.username}`) {
		t.Errorf("it writes %s", writes)
	}
	type m = map[string]any
	jane := m{policy.RequesterAnnotation: "jane"}
	tests := map[string]struct {
		operation string
		before    any
		now       m
		want      bool
	}{
		"created_as_written":        {"CREATE", nil, pod(jane), true},
		"created_without":           {"CREATE", nil, pod(nil), true},
		"created_with_others":       {"CREATE", nil, pod(m{"a": "b"}), true},
		"created_in_another's_name": {"CREATE", nil, pod(m{policy.RequesterAnnotation: "root"}), false},
		"updated_and_kept":          {"UPDATE", pod(jane), pod(m{policy.RequesterAnnotation: "jane", "a": "b"}), true},
		"updated_without":           {"UPDATE", pod(nil), pod(m{"a": "b"}), true},
		"changed":                   {"UPDATE", pod(jane), pod(m{policy.RequesterAnnotation: "root"}), false},
		"added":                     {"UPDATE", pod(m{"a": "b"}), pod(jane), false},
		"removed":                   {"UPDATE", pod(jane), pod(nil), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			spec := all["ValidatingAdmissionPolicy"].Spec
			variables := m{}
			with := m{"object": tt.now, "oldObject": tt.before, "variables": variables, "request": m{"operation": tt.operation, "userInfo": m{"username": "jane"}}}
			for _, v := range spec.Variables {
				variables[v.Name] = evaluate(t, v.Expression, with)
			}
			if got := evaluate(t, spec.Validations[0].Expression, with); got != tt.want || len(spec.Validations) != 1 {
				t.Errorf("got %v, want %v", got, tt.want)
			}
		})
	}
}
