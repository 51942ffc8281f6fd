package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/xeipuuv/gojsonschema"
)

// schemaFile is where deployments find the schema; each example's first line
// points an editor there.
const schemaFile = "../../deploy/schema/policy.v1alpha1.json"

func TestSchema(t *testing.T) {
	text, err := Schema(whole())
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(schemaFile, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if kept, err := os.ReadFile(schemaFile); err != nil || string(kept) != string(text) {
		t.Errorf("%s is out of date: go generate ./policy/config (%v)", schemaFile, err)
	}
	schema, err := gojsonschema.NewSchema(gojsonschema.NewBytesLoader(text))
	if err != nil {
		t.Fatal(err)
	}
	valid := map[string]string{
		"exception": exceptionText(), "own_rule": ownHead + "spec:\n" + registryRule,
		"test": testHead + "cases:\n- {name: a, subject: {rootfs: x/}, want: {action: allow, notRules: [phi-table]}}\n",
	}
	for _, f := range Profiles() {
		valid["profile "+f.Name] = string(f.Data)
	}
	for _, pattern := range []string{"../../deploy/policies/*.yaml", "../../deploy/examples/*/*.yaml"} {
		deployed, err := filepath.Glob(pattern)
		if err != nil || len(deployed) == 0 {
			t.Fatal("no files ", pattern, err)
		}
		for _, name := range deployed {
			data, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			valid[name] = string(data)
		}
	}
	for name, text := range valid {
		for _, wrong := range invalid(t, schema, text) {
			t.Errorf("%s: %s", name, wrong)
		}
	}
	for name, text := range map[string]string{
		"unknown_key":     ownHead + "spec: {descripton: x}\n",
		"action":          ownHead + "spec: {rules: [{id: privileged, action: allow}]}\n",
		"runtime":         ownHead + "spec: {selector: {runtimes: [dokcer]}}\n",
		"profile":         ownHead + "spec: {extends: [hipaa-basline]}\n",
		"type":            ownHead + "spec: {rules: {id: privileged}}\n",
		"later":           ownHead + "spec: {rules: [{id: privileged, parameters: {}}]}\n",
		"no_end":          strings.Split(exceptionText("  expiresAt:"), "---")[0],
		"by_label":        strings.Split(exceptionText("  selector: {podLabels: {}}"), "---")[0],
		"silent":          strings.Split(exceptionText("  downgradeTo: allow"), "---")[0],
		"another_kind":    strings.Replace(ownHead, "Policy", "Polcy", 1) + "spec: {mode: audit}\n",
		"dialect_scanner": "apiVersion: xray.aqua.security/v1\nkind: Policy\nmetadata: {name: a}\nspec: {rules: [{name: a, scanner: fiel, match: {any: [\"name: *.csv\"]}, action: warn}]}\n",
	} {
		if len(invalid(t, schema, text)) == 0 {
			t.Errorf("%s: the schema accepts it", name)
		}
	}
}

// invalid says what a schema finds wrong in the documents of a text.
func invalid(t *testing.T, schema *gojsonschema.Schema, text string) (wrong []string) {
	t.Helper()
	for _, doc := range strings.Split("\n"+text, "\n---\n") {
		if strings.Trim(doc, "\n ") == "" {
			continue
		}
		data, err := yaml.YAMLToJSON([]byte(doc))
		if err != nil {
			t.Fatalf("%v in %s", err, doc)
		}
		result, err := schema.Validate(gojsonschema.NewBytesLoader(data))
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range result.Errors() {
			wrong = append(wrong, e.String())
		}
	}
	return wrong
}
