package policy

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestExposedPorts(t *testing.T) {
	const field = "image.config.ExposedPorts"
	tests := []struct {
		name    string
		entries []string
		want    []Port
		wrong   bool
	}{
		{"none", nil, nil, false},
		{"without_protocol", []string{"21"}, []Port{{21, "tcp", field, false, 0}}, false},
		{"protocol_in_capitals", []string{"53/UDP"}, []Port{{53, "udp", field, false, 0}}, false},
		{"empty_protocol", []string{"21/"}, []Port{{21, "tcp", field, false, 0}}, false},
		{"range", []string{"20-22/tcp"}, []Port{{20, "tcp", field, false, 0}, {21, "tcp", field, false, 0}, {22, "tcp", field, false, 0}}, false},
		{"once_and_in_order", []string{"23", "21-23", "21/udp"},
			[]Port{{21, "tcp", field, false, 0}, {22, "tcp", field, false, 0}, {23, "tcp", field, false, 0}, {21, "udp", field, false, 0}}, false},
		{"highest", []string{"65535"}, []Port{{65535, "tcp", field, false, 0}}, false},
		{"too_high", []string{"65536"}, nil, true},
		{"zero", []string{"0/tcp"}, nil, true},
		{"range_from_zero", []string{"0-80"}, nil, true},
		{"negative", []string{"-1"}, nil, true},
		{"backwards", []string{"22-21"}, nil, true},
		{"open_range", []string{"22-"}, nil, true},
		{"word", []string{"ftp"}, nil, true},
		{"empty", []string{""}, nil, true},
		{"unknown_protocol", []string{"21/carrier-pigeon"}, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := ExposedPorts(tt.entries)
			if (err != nil) != tt.wrong {
				t.Fatalf("error %v; want one: %v", err, tt.wrong)
			}
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got)\n%s", diff)
			}
		})
	}
}

// An image config of 8 MiB has room for half a million ranges.
func TestExposedPortsAreBounded(t *testing.T) {
	var entries []string
	for i := range 500_000 {
		entries = append(entries, fmt.Sprintf("%d-65535/tcp", 1+i%100))
	}
	if _, err := ExposedPorts(entries); err == nil {
		t.Error("half a million ranges were accepted")
	}
}

func FuzzParseExposed(f *testing.F) {
	for _, seed := range []string{"21", "53/udp", "20-23/tcp", "0-65535", "-", "/", "1/x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		ports, err := ParseExposed(text)
		if (err == nil) != (len(ports) > 0) {
			t.Errorf("%d ports and error %v; want the one or the other", len(ports), err)
		}
	})
}
