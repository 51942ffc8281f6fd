package bundle

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParse(t *testing.T) {
	create := func(bundle string) Call { return Call{Command: "create", Judged: true, ID: "c1", Bundle: bundle} }
	tests := map[string]struct {
		args   string
		want   Call
		failed string // part of the error
	}{
		"nothing":             {"", Call{}, ""},
		"version":             {"--version", Call{}, ""},
		"state":               {"--root /r state c1", Call{Command: "state"}, ""},
		"state_unknown_flag":  {"state --new c1", Call{Command: "state"}, ""},
		"default_bundle":      {"create c1", create(""), ""},
		"bundle_word":         {"create --bundle /b c1", create("/b"), ""},
		"bundle_equals":       {"create --bundle=/b c1", create("/b"), ""},
		"bundle_short":        {"create -b /b c1", create("/b"), ""},
		"bundle_short_equals": {"create -b=/b c1", create("/b"), ""},
		"bundle_one_dash":     {"create -bundle /b c1", create("/b"), ""},
		"bundle_two_dashes":   {"create --b /b c1", create("/b"), ""},
		"bundle_relative":     {"create --bundle b/c c1", create("b/c"), ""},
		"bundle_after_id":     {"create c1 --bundle /b", create("/b"), ""},
		"last_bundle_wins":    {"create --bundle /a -b /b c1", create("/b"), ""},
		"bundle_in_a_value":   {"create --pid-file --bundle=/a c1", create(""), ""},
		"after_the_end":       {"create --bundle /b -- c1", create("/b"), ""},
		"id_with_dash":        {"create -- -c1", Call{Command: "create", Judged: true, ID: "-c1"}, ""},
		"as_containerd_does": {"--root /run/runc/k8s.io --log /b/log.json --log-format json --systemd-cgroup create --bundle /b --pid-file /b/init.pid --no-pivot c1",
			Call{Command: "create", Judged: true, ID: "c1", Bundle: "/b", Log: "/b/log.json", LogFormat: "json"}, ""},
		"as_buildkit_does": {"--log=/b/l --log-format=json run --bundle /b --keep c1",
			Call{Command: "run", Judged: true, ID: "c1", Bundle: "/b", Log: "/b/l", LogFormat: "json"}, ""},
		"as_cri-o_does": {"--root=/run/runc --systemd-cgroup create --bundle=/b --pid-file=/p --console-socket /s c1", create("/b"), ""},
		"restore": {"restore --bundle /b --image-path /i --work-path /w --manage-cgroups-mode soft --tcp-established -d --empty-ns network c1",
			Call{Command: "restore", Judged: true, ID: "c1", Bundle: "/b"}, ""},
		"switch_with_value": {"run --detach=true --preserve-fds 3 c1", Call{Command: "run", Judged: true, ID: "c1"}, ""},
		"help":              {"create --help", Call{Command: "create"}, ""},
		"help_and_more":     {"create --help c1", Call{Command: "create", Judged: true}, `"-help" is a flag`},

		"unknown_flag":           {"--log /l create --new c1", Call{Command: "create", Judged: true, Log: "/l"}, `"-new" is a flag that phigate-runc does not know`},
		"other_config":           {"create --config=/other.json c1", Call{Command: "create", Judged: true}, `"-config" is a flag`},
		"abbreviated":            {"create --bun=/b c1", Call{Command: "create", Judged: true}, `"-bun" is a flag`},
		"clustered":              {"create -db /b c1", Call{Command: "create", Judged: true}, `"-db" is a flag`},
		"unknown_before_create":  {"--log=/l --new create c1", Call{Judged: true, Log: "/l"}, `"-new" is a flag`},
		"unknown_swallows":       {"--new create state c1", Call{Judged: true}, `"-new" is a flag`},
		"unknown_before_state":   {"--new state c1", Call{}, `"-new" is a flag`},
		"value_missing":          {"create c1 --bundle", Call{Command: "create", Judged: true}, `flag "-bundle" lacks its value`},
		"no_id":                  {"create --bundle /b", Call{Command: "create", Judged: true, Bundle: "/b"}, "takes the ID of one container"},
		"two_ids":                {"create c1 c2", Call{Command: "create", Judged: true}, "takes the ID of one container"},
		"global_value_is_create": {"--root create state c1", Call{Command: "state"}, ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := Parse(strings.Fields(test.args))
			if (err != nil) != (test.failed != "") || err != nil && !strings.Contains(err.Error(), test.failed) {
				t.Errorf("got error %v, want %q", err, test.failed)
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// Whatever is written, a command that makes a container is either understood
// or an error that refuses.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"create --bundle /b c1", "--root /r --log=l run -b=x -d c1", "--x create", "create -- a", "restore --image-path"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, line string) {
		args := strings.Fields(line)
		c, err := Parse(args)
		if err == nil && c.Judged && c.ID == "" {
			t.Error("a container without an ID was understood")
		}
		makes := slices.ContainsFunc(args, func(arg string) bool { return slices.Contains(judged, arg) })
		if errors.Is(err, errFlag) && makes && !c.Judged && c.Command == "" && args[0] == "--unknown" {
			t.Error("an unknown flag hides a command that makes a container")
		}
	})
}
