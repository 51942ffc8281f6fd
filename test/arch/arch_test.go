package arch

import (
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

func TestHouse(t *testing.T) {
	broken, err := Check(os.DirFS("../.."))
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range broken {
		t.Error(b)
	}
}

// TestCheck breaks each kind of rule once, in a tree that is otherwise clean.
func TestCheck(t *testing.T) {
	tests := map[string]struct {
		file, code string
		want       string // part of the message; empty when all is well
	}{
		"clean":                 {"policy/decide.go", "package policy\nimport \"fmt\"", ""},
		"allowed_direction":     {"plugin/inspect/spec.go", imports("plugin/cache"), ""},
		"policy_knows_plugin":   {"policy/decide.go", imports("plugin/engine"), "policy imports plugin/engine: policy is the law"},
		"policy_does_io":        {"policy/rules/x.go", "package rules\nimport \"os\"", "policy/rules imports os: policy is the law"},
		"policy_asks_network":   {"policy/rules/x.go", "package rules\nimport \"net/http\"", "policy/rules imports net/http"},
		"policy_parses_address": {"policy/rules/x.go", "package rules\nimport \"net/netip\"", ""},
		"detector_trial":        {"policy/detect/detecttest/x.go", "package detecttest\nimport \"runtime\"", ""},
		"trial_in_detector":     {"policy/detect/phi/x.go", imports("policy/detect/detecttest"), "policy/detect/phi imports policy/detect/detecttest: mains and tests"},
		"policy_third_party":    {"policy/x.go", "package policy\nimport \"github.com/spf13/cobra\"", "of third parties"},
		"policy_clock":          {"policy/x.go", "package policy\nimport \"time\"\nvar t = time.Now()", "policy/x.go:3: time.Now in policy"},
		"policy_time_type":      {"policy/x.go", "package policy\nimport \"time\"\nvar t time.Duration", ""},
		"policy_goroutine":      {"policy/x.go", "package policy\nfunc f() { go f() }", "a goroutine in policy"},
		"detector_third_party":  {"policy/detect/phi/x.go", "package phi\nimport \"github.com/opencontainers/runtime-spec/specs-go\"", "hostile bytes"},
		"detector_knows_rules":  {"policy/detect/phi/x.go", imports("policy/rules"), "policy/detect/phi imports policy/rules"},
		"policy_embeds":         {"policy/rules/x.go", "package rules\nimport _ \"embed\"", "policy/rules imports embed: what the law says"},
		"profiles_are_files":    {"policy/config/x.go", "package config\nimport _ \"embed\"", ""},
		"yaml_elsewhere":        {"plugin/daemon/x.go", "package daemon\nimport \"sigs.k8s.io/yaml\"", "policy/config alone parses YAML"},
		"yaml_at_home":          {"policy/config/x.go", "package config\nimport \"sigs.k8s.io/yaml\"", ""},
		"engine_knows_runtime":  {"plugin/engine/x.go", imports("plugin/containerd"), "plugin/engine imports plugin/containerd: the engine knows no runtime"},
		"engine_knows_detector": {"plugin/engine/x.go", imports("policy/detect"), "plugin/engine imports policy/detect"},
		"containerd_elsewhere":  {"plugin/nri/x.go", "package nri\nimport \"github.com/containerd/containerd/v2/client\"", "plugin/containerd alone"},
		"nri_knows_cli":         {"plugin/nri/x.go", imports("plugin/cli"), "plugin/nri imports plugin/cli: doors"},
		"cli_knows_nri":         {"plugin/cli/x.go", imports("plugin/nri"), "plugin/cli imports plugin/nri: doors"},
		"hook_knows_engine":     {"hooks/wrap/x.go", imports("plugin/engine"), "hooks/wrap imports plugin/engine: these programs are started"},
		"wrapper_links_net":     {"hooks/wrap/x.go", "package wrap\nimport \"net\"", "hooks/wrap imports net: these programs are started"},
		"judge_links_http":      {"plugin/ask/judge/x.go", "package judge\nimport \"net/http\"", "plugin/ask/judge imports net/http: these programs"},
		"wrapper_asks":          {"hooks/wrap/x.go", imports("plugin/ask/judge"), ""},
		"handover_knows_nri":    {"plugin/handover/x.go", imports("plugin/nri"), "plugin/handover imports plugin/nri: doors"},
		"hook_knows_hook":       {"hooks/wrap/x.go", imports("hooks/oci"), "hooks/wrap imports hooks/oci: doors"},
		"log_decides":           {"plugin/audit/x.go", imports("plugin/engine"), "plugin/audit imports plugin/engine: what writes decisions down"},
		"simulation_reads":      {"plugin/simulate/x.go", imports("plugin/cache"), "plugin/simulate imports plugin/cache: explaining, simulating and testing"},
		"toml_elsewhere":        {"plugin/cli/x.go", "package cli\nimport \"github.com/pelletier/go-toml/v2\"", "plugin/install alone reads containerd's configuration"},
		"gitleaks_reads_files":  {"plugin/gitleaks/x.go", imports("plugin/conf"), "plugin/gitleaks imports plugin/conf: what another tool"},
		"install_asks":          {"plugin/install/x.go", imports("plugin/ask"), "plugin/install imports plugin/ask: installing reads and writes files"},
		"doctor_is_no_daemon":   {"plugin/doctor/x.go", imports("plugin/engine"), "plugin/doctor imports plugin/engine: the doctor looks at a node from outside"},
		"code_knows_tests":      {"plugin/cli/x.go", imports("test/images"), "plugin/cli imports test/images: mains and tests"},
		"test_file_is_free":     {"plugin/cli/x_test.go", imports("test/images"), ""},
		"init_function":         {"plugin/cli/x.go", "package cli\nfunc init() {}", "plugin/cli/x.go:2: an init function"},
		"init_method":           {"plugin/cli/x.go", "package cli\ntype x struct{}\nfunc (x) init() {}", ""},
		"sixth_folder":          {"pkg/x/x.go", "package x", "a sixth top-level folder"},
		"code_at_the_top":       {"main.go", "package main", "Go code at the top"},
		"util_package":          {"plugin/util/x.go", "package util", "a package named util"},
		"long_main":             {"plugin/cmd/phigate/main.go", "package main" + strings.Repeat("\n", 41), "a main of 41 lines"},
		"main_of_40_lines":      {"plugin/cmd/phigate/main.go", "package main" + strings.Repeat("\n", 40), ""},
		"long_file":             {"plugin/cli/x.go", "package cli" + strings.Repeat("\n", 501), "501 lines"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			broken, err := Check(fstest.MapFS{
				"go.mod":               {Data: []byte("module " + module)},
				".git/x.go":            {Data: []byte("not Go")},
				"test/other/go.mod":    {Data: []byte("module other")},
				"test/other/tools.go":  {Data: []byte("package tools\nfunc init() {}")},
				"plugin/testdata/x.go": {Data: []byte("not Go")},
				test.file:              {Data: []byte(test.code)},
			})
			if err != nil {
				t.Fatal(err)
			}
			got := strings.Join(broken, "\n")
			if test.want == "" && got != "" {
				t.Errorf("got %q, want nothing", got)
			}
			if !strings.Contains(got, test.want) {
				t.Errorf("got %q, want %q in it", got, test.want)
			}
		})
	}
}

// Every rule says why, and can fail.
func TestRules(t *testing.T) {
	for i, r := range rules() {
		if r.why == "" || len(r.of) == 0 || r.only == nil {
			t.Errorf("rule %d (of %v) lacks a reason, packages to bind or imports to allow", i, r.of)
		}
	}
}

func TestUnreadableFile(t *testing.T) {
	if _, err := Check(fstest.MapFS{"policy/x.go": {Data: []byte("not Go")}}); err == nil {
		t.Error("a file that is not Go passed")
	}
}

func imports(pkg string) string { return "package x\nimport _ \"" + module + "/" + pkg + "\"" }
