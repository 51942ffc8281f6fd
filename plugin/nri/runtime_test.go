package nri

import (
	"strings"
	"testing"

	"github.com/phigate/phigate/policy"
)

func TestSubscription(t *testing.T) {
	tests := []struct {
		name, runtime, version string
		want                   policy.Gate
		says                   string // in the error, when there is no gate
	}{
		{"containerd_1_6", "containerd", "1.6.38", "", "1.7 or later"},
		{"containerd_1_7", "containerd", "v1.7.35-rc.1", policy.GateCreate, ""},
		{"containerd_2_0", "containerd", "v2.0.0", policy.GateCreate, ""},
		{"containerd_2_1", "containerd", "v2.1.4", policy.GateCreate, ""},
		{"containerd_2_2", "containerd", "v2.2.0", policy.GateValidate, ""},
		{"containerd_2_10", "containerd", "2.10.0", policy.GateValidate, ""},
		{"containerd_2_4_from_its_module", "containerd", "2.4.2+unknown", policy.GateValidate, ""},
		{"containerd_3", "containerd", "v3.0.0", policy.GateValidate, ""},
		{"two_numbers", "containerd", "2.2", policy.GateValidate, ""},
		{"minor_with_a_tail", "containerd", "v2.2-dev", "", "cannot be read"},
		{"no_version", "containerd", "", "", "cannot be read"},
		{"one_number", "containerd", "2", "", "cannot be read"},
		{"commit", "containerd", "f3a1b2c", "", "cannot be read"},
		{"zero", "containerd", "0.0.0", "", "cannot be read"},
		{"negative", "containerd", "-2.4.2", "", "cannot be read"},
		{"overflow", "containerd", "99999999999999999999.1.1", "", "cannot be read"},
		{"docker", "docker", "29.0.0", "", "runc wrapper"},
		{"moby", "moby", "29.0.0", "", "runc wrapper"},
		{"cri_o", "cri-o", "1.34.0", "", `"cri-o" is not known`},
		{"control_characters", "x\x1b[2J", "1", "", "is not known"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			gate, events, err := subscription(tt.runtime, tt.version)
			if gate != tt.want || (err != nil) != (tt.want == "") {
				t.Fatalf("gate %q, error %v; want gate %q", gate, err, tt.want)
			}
			switch {
			case err != nil:
				if !strings.Contains(err.Error(), tt.says) || strings.ContainsRune(err.Error(), '\x1b') {
					t.Errorf("the error does not say %q, or not printably: %q", tt.says, err)
				}
				if events != 0 {
					t.Errorf("events %b with an error, want none", events)
				}
			case tt.want == policy.GateValidate && events != withValidate, tt.want == policy.GateCreate && events != withCreate:
				t.Errorf("events %b do not belong to gate %s", events, gate)
			}
		})
	}
}
