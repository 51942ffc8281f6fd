package door

import (
	"fmt"
	"strings"
	"testing"

	"github.com/phigate/phigate/hooks/internal/bundle"
)

// Whose container runs without an answer hangs on what its author cannot write.
func TestUnavailable(t *testing.T) {
	const config = "onUnavailable: deny\nonUnavailable.k8s.io/kube-system: allow\nonUnavailable.moby: allow\nonUnavailable.k8s.io: deny\n"
	const open = "onUnavailable: allow\nonUnavailable.k8s.io: deny\nonUnavailable.k8s.io/kube-system: allow\n"
	shim := func(namespace string) string {
		return "/run/containerd/io.containerd.runtime.v2.task/" + namespace + "/c1"
	}
	pod := func(namespace string) string {
		return fmt.Sprintf(`{"annotations":{"io.kubernetes.cri.sandbox-namespace":%q}}`, namespace)
	}
	tests := map[string]struct {
		config, dir, spec string
		allow             bool
		key               string
	}{
		"nothing_said":      {"", shim("moby"), "{}", false, "onUnavailable"},
		"docker":            {config, shim("moby"), "{}", true, "onUnavailable.moby"},
		"docker_own_state":  {config, "/run/docker/containerd/daemon/io.containerd.runtime.v2.task/moby/c1", "{}", true, "onUnavailable.moby"},
		"ctr":               {config, shim("default"), "{}", false, "onUnavailable"},
		"pod":               {config, shim("k8s.io"), pod("kube-system"), true, "onUnavailable.k8s.io/kube-system"},
		"pod_of_another":    {config, shim("k8s.io"), pod("clinic-a"), false, "onUnavailable.k8s.io"},
		"pod_of_all_others": {open, shim("k8s.io"), pod("clinic-a"), false, "onUnavailable.k8s.io"},
		"no_pod":            {config, shim("k8s.io"), "{}", false, "onUnavailable.k8s.io"},
		"all":               {open, shim("default"), "{}", true, "onUnavailable"},
		// What a client can write makes it nobody else.
		"annotation_outside":   {config, shim("default"), pod("kube-system"), false, "onUnavailable"},
		"annotation_by_hand":   {config, "/root/bundle", pod("kube-system"), false, "onUnavailable"},
		"annotation_with_path": {config, shim("k8s.io"), pod("../moby"), false, "onUnavailable.k8s.io"},
		"folder_by_hand":       {config, "/tmp/moby/c1", "{}", false, "onUnavailable"},
		"folder_of_another_id": {config, shim("moby")[:len(shim("moby"))-2] + "c2", "{}", false, "onUnavailable"},
		"other_annotations":    {config, shim("k8s.io"), `{"annotations":{"io.kubernetes.pod.namespace":"kube-system","io.kubernetes.cri.sandbox-name":"kube-system"}}`, false, "onUnavailable.k8s.io"},
		"spec_is_nonsense":     {config, shim("k8s.io"), `{"annotations":7}`, false, "onUnavailable.k8s.io"},
		"podman":               {config, "/var/lib/containers/storage/overlay-containers/c1/userdata", pod("kube-system"), false, "onUnavailable"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := parseConfig([]byte(test.config))
			if err != nil {
				t.Fatal(err)
			}
			allow, key := c.Unavailable.admits(&bundle.Bundle{Dir: test.dir, Config: []byte(test.spec)}, "c1")
			if allow != test.allow || key != test.key {
				t.Errorf("got %t by %s, want %t by %s", allow, key, test.allow, test.key)
			}
		})
	}
}

func TestUnavailableIsStrict(t *testing.T) {
	for text, want := range map[string]string{
		"onUnavailable: maybe":                                 "must be deny or allow",
		"onUnavailable.moby: yes":                              "must be deny or allow",
		"onUnavailable.: allow":                                "a namespace is containerd's",
		"onUnavailable.moby/x: allow":                          "a namespace is containerd's",
		"onUnavailable.k8s.io/: allow":                         "a namespace is containerd's",
		"onUnavailable.k8s.io/a/b: allow":                      "a namespace is containerd's",
		"onUnavailables: allow":                                "is no key",
		"onUnavailable.moby: allow\nonUnavailable.moby: allow": "stands twice",
	} {
		if _, err := parseConfig([]byte(text + "\n")); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want an error with %q", text, err, want)
		}
	}
}
