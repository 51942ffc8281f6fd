// Package readme runs the commands of README.md, so that they stay true.
package readme

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/phigate/phigate/test/node"
)

// block is a fenced code block; its name is the word after "sh".
var block = regexp.MustCompile("(?ms)^```sh ([a-z]+)\n(.*?)^```$")

// blocks are the README's commands by name.
func blocks(t *testing.T) (root string, byName map[string]string) {
	t.Helper()
	root, err := node.Root()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	byName = map[string]string{}
	for _, m := range block.FindAllStringSubmatch(string(text), -1) {
		byName[m[1]] += m[2]
	}
	return root, byName
}

// Every command block has a test here; "make test" is the one that runs them.
func TestEachBlockIsRun(t *testing.T) {
	_, byName := blocks(t)
	for _, name := range []string{"demo", "install", "wrapper", "test"} {
		if byName[name] == "" {
			t.Errorf("README.md has no commands called %q", name)
		}
		delete(byName, name)
	}
	for name := range byName {
		t.Errorf("README.md has commands called %q, which nobody runs", name)
	}
}

func TestDemo(t *testing.T) {
	root, byName := blocks(t)
	out := sh(t, root, 5*time.Minute, nil, byName["demo"])
	for _, want := range []string{"phigate: blocked clinic-a/portal: ", "[phi-table, ", "[plaintext-ports, "} {
		if !strings.Contains(out, want) {
			t.Errorf("the demo does not print %q", want)
		}
	}
}

// TestInstall follows the installation on a node of its own: what it writes to
// the system's folders is kept in memory and seen by nobody else, and systemctl is a script that starts what
// the units would. The programs, containerd and the configuration are real.
func TestInstall(t *testing.T) {
	root, byName := blocks(t)
	binaries, err := node.Binaries()
	if err != nil {
		t.Fatal(err)
	}
	script := filepath.Join(t.TempDir(), "install.sh")
	text := node0 + byName["install"] + node1 + byName["wrapper"] + node2 + node3
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	out := sh(t, root, 3*time.Minute, []string{"CONTAINERD=" + binaries, "TOP=" + t.TempDir()},
		"exec unshare --mount --pid --fork --kill-child --mount-proc --propagation private bash -eu "+script)
	for _, want := range []string{"valid: 1 policy", "containerd 2.4.2", "INSTALLED", "RAN-good", "[privileged, ", "REFUSED", "UNINSTALLED"} {
		if !strings.Contains(out, want) {
			t.Errorf("the installation does not print %q; it printed:\n%s", want, out)
		}
	}
}

// node0 makes the node; node1 asks whether the gate is in containerd's way, node2
// whether ctr comes past it, and node3 puts everything back.
const (
	node0 = `
top=$TOP
mount -t tmpfs tmpfs $top
for dir in /etc /usr/lib/systemd /usr/local /var/lib; do
	layer=$top/${dir//\//_}
	mkdir -p $layer/upper $layer/work
	mount -t overlay overlay -o lowerdir=$dir,upperdir=$layer/upper,workdir=$layer/work $dir
done
mount -t tmpfs tmpfs /run
mkdir -p /run/tools
cat > /run/tools/systemctl <<'EOF'
#!/bin/bash
ends() { # the process that is noted there
	[ -e $1 ] || return 0
	kill $(cat $1); while kill -0 $(cat $1) 2>/dev/null; do sleep 0.05; done; rm $1
}
case "$*" in
daemon-reload) ;;
"enable --now phigated.socket phigated")
	$(sed -n 's/^ExecStart=//p' /etc/systemd/system/phigated.service) >/run/phigated.log 2>&1 &
	echo $! > /run/phigated.pid
	for i in $(seq 100); do [ -S /run/phigate/phigate.sock ] && exit 0; sleep 0.1; done
	echo "phigated does not listen:" >&2; cat /run/phigated.log >&2; exit 1 ;;
"disable --now phigated.socket phigated") ends /run/phigated.pid ;;
"restart containerd")
	ends /run/containerd.pid
	dropin=$(sed -n 's/^Environment=PATH=//p' /etc/systemd/system/containerd.service.d/*.conf 2>/dev/null || true)
	PATH=${dropin:+$dropin:}$PATH "$CONTAINERD/containerd" >>/run/containerd.log 2>&1 &
	echo $! > /run/containerd.pid ;;
*) echo "systemctl $* was not expected" >&2; exit 1 ;;
esac
EOF
chmod +x /run/tools/systemctl
go=$(dirname "$(command -v go)")
export PATH=/run/tools:/usr/local/bin:$go:$CONTAINERD:$PATH
mkdir -p /etc/containerd
printf '# ours\nversion = 3\n' > /etc/containerd/config.toml
cp /etc/containerd/config.toml /run/before.toml
systemctl restart containerd
for i in $(seq 100); do [ -S /run/containerd/containerd.sock ] && break; sleep 0.1; done
`
	node1 = `
for i in $(seq 300); do
	phigate status > /run/status 2>&1 && grep -q 'containerd 2.4.2' /run/status && { cat /run/status; echo INSTALLED; break; }
	sleep 0.1
	[ $i -lt 300 ] || { cat /run/status /run/phigated.log; tail -n 20 /run/containerd.log; exit 1; }
done
containerd config dump | grep "required_plugins = .'phigate'"
phigate doctor > /run/doctor || [ $? -eq 3 ] # no wrapper is in the path
cat /run/doctor
grep -q "^ok .*required: " /run/doctor
grep -q "^ok .*registered: " /run/doctor
phigate install --restart | grep "nothing to change"
`
	node2 = `
mkdir -p /run/rootfs/bin
cp /bin/busybox /run/rootfs/bin/
for i in $(seq 100); do ctr version >/dev/null 2>&1 && break; sleep 0.1; done
run() { ctr run --rm --cgroup /phigate-readme/$1 "${@:2}" --rootfs /run/rootfs $1 /bin/busybox echo RAN-$1; }
run good || { cat /run/phigated.log; tail -n 20 /run/containerd.log; exit 1; }
run bad --privileged && { echo "the wrapper let it pass"; exit 1; }
rmdir /sys/fs/cgroup/phigate-readme /sys/fs/cgroup/*/phigate-readme 2>/dev/null || true
echo REFUSED
`
	node3 = `
rm /etc/systemd/system/containerd.service.d/phigate.conf
phigate uninstall && exit 1 || [ $? -eq 3 ] # containerd requires phigate until it is restarted
phigate status
phigate uninstall --restart
cmp /run/before.toml /etc/containerd/config.toml
[ ! -e /etc/containerd/conf.d ] && [ ! -e /etc/systemd/system/phigated.service ] && [ ! -e /etc/systemd/system/phigated.socket ] && [ -e /var/lib/phigate/decisions ]
containerd config dump | grep "required_plugins = .'phigate'" && exit 1
echo UNINSTALLED
`
)

// sh runs commands with bash in dir and returns what they print.
func sh(t *testing.T, dir string, limit time.Duration, env []string, commands string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, "bash", "-euc", commands)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	cmd.WaitDelay = 5 * time.Second
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Run(); err != nil {
		t.Fatalf("%v; it printed:\n%s", err, out.String())
	}
	return out.String()
}
