package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/url"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/xeipuuv/gojsonschema"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

func infos() []policy.Info {
	return []policy.Info{{
		ID: "phi-table", Title: "Table of patients", Severity: policy.Critical, Default: policy.Block, Cites: []hipaa.Citation{hipaa.AccessControl},
		Rationale: "A covered entity must allow access to it only to those who have been granted rights.", Fix: "Remove the file.",
	}}
}

// sarifSchemaText is the schema of SARIF 2.1.0, errata 01, as OASIS publishes it.
// The module that structures are generated from embeds it and does not export
// it, so it is read from the module's source.
func sarifSchemaText(t *testing.T) string {
	t.Helper()
	dir, err := exec.Command("go", "list", "-f", "{{.Dir}}", "github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif").Output()
	if err != nil {
		t.Fatalf("finding the schema's module: %v", err)
	}
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(strings.TrimSpace(string(dir)), "schema.go"), nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	literal := file.Scope.Lookup("schema").Decl.(*ast.ValueSpec).Values[0].(*ast.BasicLit)
	text, err := strconv.Unquote(literal.Value)
	if err != nil || !strings.Contains(text, "Version 2.1.0") {
		t.Fatalf("no schema of version 2.1.0 there: %v", err)
	}
	return text
}

// problems is what the schema has against a log.
func problems(t *testing.T, schema *gojsonschema.Schema, log []byte) []gojsonschema.ResultError {
	t.Helper()
	result, err := schema.Validate(gojsonschema.NewBytesLoader(log))
	if err != nil {
		t.Fatal(err)
	}
	return result.Errors()
}

func compiled(t *testing.T) *gojsonschema.Schema {
	t.Helper()
	schema, err := gojsonschema.NewSchema(gojsonschema.NewStringLoader(sarifSchemaText(t)))
	if err != nil {
		t.Fatal(err)
	}
	return schema
}

// validated holds the log against the schema, and decodes it into structures
// that refuse what the schema does not name.
func validated(t *testing.T, schema *gojsonschema.Schema, d *policy.Decision) *sarif.Report {
	t.Helper()
	var b bytes.Buffer
	if err := SARIF(&b, d, infos(), "0.1"); err != nil {
		t.Fatal(err)
	}
	for _, problem := range problems(t, schema, b.Bytes()) {
		t.Error(problem)
	}
	dec := json.NewDecoder(&b)
	dec.DisallowUnknownFields()
	var log sarif.Report
	if err := dec.Decode(&log); err != nil {
		t.Fatal(err)
	}
	return &log
}

func TestSARIFHoldsAgainstItsSchema(t *testing.T) {
	schema, excepted := compiled(t), blocked()
	excepted.Findings[0].Exception = "EX-2026-014"
	for name, d := range map[string]*policy.Decision{
		"clean": base(), "blocked": blocked(), "many": many(), "hostile": hostile(), "scan": scanned(), "excepted": excepted,
	} {
		t.Run(name, func(t *testing.T) {
			log := validated(t, schema, d)
			if len(log.Runs) != 1 || len(log.Runs[0].Results) != len(d.Findings) {
				t.Fatalf("%d runs", len(log.Runs))
			}
			run, prints := log.Runs[0], map[string]bool{}
			for i, result := range run.Results {
				if rule := run.Tool.Driver.Rules[result.RuleIndex]; *rule.ID != *result.RuleID {
					t.Errorf("result %d: rule %s at the place of %s", i, *rule.ID, *result.RuleID)
				}
				prints[fmt.Sprint(result.PartialFingerprints)] = true
			}
			if len(prints) != len(d.Findings) {
				t.Errorf("%d fingerprints of %d findings", len(prints), len(d.Findings))
			}
		})
	}
}

// The check itself must be able to fail.
func TestSARIFCheckFails(t *testing.T) {
	schema := compiled(t)
	for name, log := range map[string]string{
		"version": `{"version":"2.0","runs":[]}`, "no_driver": `{"version":"2.1.0","runs":[{"tool":{}}]}`,
		"level": `{"version":"2.1.0","runs":[{"tool":{"driver":{"name":"x"}},"results":[{"message":{"text":"x"},"level":"bad"}]}]}`,
	} {
		if len(problems(t, schema, []byte(log))) == 0 {
			t.Errorf("%s: the schema has nothing against it", name)
		}
	}
}

// A place is a relative URI whose decoding is the path.
func TestSARIFPlacesAreRelativeURIs(t *testing.T) {
	for _, path := range []string{"/data/patients.csv", "/a b/c#d?e", "/x:y/z", "/100%/f", "/é/ü.csv", "/opt/a.zip!in/b c.csv", `/a\nb`, "//x"} {
		uri := inFile(path).Physical.Artifact.URI
		parsed, err := url.Parse(uri)
		if err != nil || parsed.IsAbs() || parsed.Host != "" && !strings.HasPrefix(path, "//") || parsed.Fragment != "" || parsed.RawQuery != "" {
			t.Errorf("%s: %s is no relative URI: %v", path, uri, err)
			continue
		}
		if got, err := url.PathUnescape(uri); err != nil || "/"+got != path {
			t.Errorf("%s: reads back as %s", path, got)
		}
	}
}

func TestSARIFHasNoSnippet(t *testing.T) {
	var b bytes.Buffer
	if err := SARIF(&b, blocked(), infos(), "0.1"); err != nil {
		t.Fatal(err)
	}
	for _, word := range []string{"snippet", "contextRegion", "\"contents\""} {
		if strings.Contains(b.String(), word) {
			t.Errorf("it holds %s", word)
		}
	}
}
