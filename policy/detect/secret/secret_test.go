package secret_test

import (
	"testing"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/detecttest"
	"github.com/phigate/phigate/policy/detect/prefilter"
	"github.com/phigate/phigate/policy/detect/secret"
)

// noise is a value that looks random; pieces of it make samples, so that no
// whole secret of any form stands in this file.
const noise = "q7Zp2mW9xK4tB8vR3nL6yD1sH5jF0gTc" + "Ae7Ui2Oq9Xw4Zr8Mk3Pb6Nv1Ld5Sj0Yh"

// hexes are such digits.
const hexes = "9f3a7c51e8b2d604" + "c7e19ab35d8f2460" + "1be7d93c5a80f264" + "e5a9c3710d6f8b24"

// all are the detectors of the package.
func all() []detect.Detector {
	return []detect.Detector{
		secret.PrivateKey(), secret.CloudCredentials(), secret.RegistryCredentials(), secret.KubeCredentials(), secret.GitHistory(),
		secret.ShellHistory(), secret.MemoryDump(), secret.BackupLeftover(), secret.EnvSecrets(), secret.ServiceToken(),
		secret.ConnectionString(), secret.GenericSecret(),
	}
}

// scanner runs all detectors over one file after the other.
func scanner(t testing.TB) func(path, content string) detect.Result {
	t.Helper()
	set, err := detect.NewSet(all())
	if err != nil {
		t.Fatal(err)
	}
	scan := set.NewScan(func([]byte) (sum [16]byte) { return sum })
	return func(path, content string) detect.Result {
		scan.Open(path, int64(len(content)))
		scan.Write([]byte(content))
		return scan.Close()
	}
}

// kase is a file and under which rule and as what something is found in it; no
// rule: nothing is.
type kase struct{ path, content, rule, message string }

func check(t *testing.T, cases map[string]kase) {
	t.Helper()
	scan := scanner(t)
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			found := false
			for _, f := range scan(c.path, c.content).Findings {
				if c.rule == "" {
					t.Errorf("found %s: %s", f.Rule, f.Message)
				}
				if f.Rule == c.rule {
					found = true
					if f.Message != c.message {
						t.Errorf("found as %q, want %q", f.Message, c.message)
					}
					if f.Where.Offset < 0 || f.Where.Offset >= int64(len(c.content)) {
						t.Errorf("offset %d is outside of the file", f.Where.Offset)
					}
				}
			}
			if c.rule != "" && !found {
				t.Errorf("nothing found under %s", c.rule)
			}
		})
	}
}

// only leaves of a detector's anchors those that match in the sample or a part
// of it, since compiling hundreds for each run of a test takes long.
func only(t *testing.T, d detect.Detector, sample string) detect.Detector {
	t.Helper()
	set, err := prefilter.Compile(d.Anchors)
	if err != nil {
		t.Fatal(err)
	}
	hits, _ := set.Find(make([]prefilter.Hit, 0, len(d.Anchors)+100), []byte(sample+"\n"), 0)
	var of []int
	var anchors []string
	seen := map[int32]bool{}
	for _, h := range hits {
		if !seen[h.Pattern] {
			seen[h.Pattern] = true
			of = append(of, int(h.Pattern))
			anchors = append(anchors, d.Anchors[h.Pattern])
		}
	}
	near := d.Near
	d.Anchors = anchors
	d.Near = func(h detect.Hit, s *detect.Sink) {
		h.Anchor = of[h.Anchor]
		near(h, s)
	}
	return d
}

func TestAccept(t *testing.T) {
	padding := detecttest.Padding([]byte("a: b\n# c\n"), []byte("\nd = e\n"))
	for name, c := range map[string]struct {
		detector     detect.Detector
		path, sample string
		value        string
		opts         []detecttest.Option
	}{
		"cloud":      {secret.CloudCredentials(), "/a.ini", "\nkey = AKIA" + "Q7LMZ2XWVT4KPR6N\n", "Q7LMZ2XWVT4KPR6N", nil},
		"registry":   {secret.RegistryCredentials(), "/a.sh", "\nexport T=dckr_pat_" + noise[:27] + "\n", noise[:27], nil},
		"kube":       {secret.KubeCredentials(), "/a.sh", "\nexport T=sha256~" + noise[:43] + "\n", noise[:43], nil},
		"service":    {secret.ServiceToken(), "/a.py", "\ntwitch_token = '" + noise[:30] + "'\n", noise[:30], nil},
		"connection": {secret.ConnectionString(), "/a.py", "\nurl = 'postgres://app:" + noise[:12] + "@db.internal/a'\n", noise[:12], nil},
		"generic":    {secret.GenericSecret(), "/a.py", "\nmy_password = '" + noise[:16] + "'\n", noise[:16], nil},
	} {
		t.Run(name, func(t *testing.T) {
			opts := append(c.opts, padding, detecttest.Secrets(c.value), detecttest.UTF16())
			detecttest.Accept(t, only(t, c.detector, c.sample), []byte(c.sample), c.path, opts...)
		})
	}
}

// TestAccept_files: detectors that look at files of a name have no padding.
func TestAccept_files(t *testing.T) {
	for name, c := range map[string]struct {
		detector     detect.Detector
		path, sample string
		value        string
	}{
		"netrc":   {secret.RegistryCredentials(), "/root/.netrc", "machine a.internal login b password " + noise[:12] + "\n", noise[:12]},
		"env":     {secret.EnvSecrets(), "/app/.env", "DB_PASSWORD=" + noise[:12] + "\n", noise[:12]},
		"git":     {secret.GitHistory(), "/src/.git/logs/HEAD", hexes[:40] + " " + hexes[10:50] + " A <a@b.internal> 1 +0000\tclone\n", hexes[:40]},
		"history": {secret.ShellHistory(), "/root/.bash_history", "mysql -p" + noise[:12] + "\n", noise[:12]},
		"dump":    {secret.MemoryDump(), "/tmp/heap.bin", "JAVA PROFILE 1.0.2\x00" + noise, noise},
		"backup":  {secret.BackupLeftover(), "/srv/a.dump", "PGDMP" + noise, noise},
	} {
		t.Run(name, func(t *testing.T) {
			d := c.detector
			if d.Near != nil {
				d = only(t, d, "npm_"+noise[:36])
			}
			detecttest.Accept(t, d, []byte(c.sample), c.path, detecttest.Secrets(c.value))
		})
	}
}

// FuzzAll: no detector crashes, whatever is in a file of whatever name.
func FuzzAll(f *testing.F) {
	for _, text := range []string{
		"machine a login b password " + noise[:9], "db:5432:*:a:" + noise[:9], "postgres://a:" + noise[:9] + "@b", "jdbc:oracle:thin:a/" + noise[:9] + "@b",
		"Server=a;Password=" + noise[:9], `{"auths":{"a":{"auth":"YTpi"}}}`, "kind: Secret\ndata:\n a: " + b64(noise[:9]), "curl -u a:b -H 'Authorization: Basic ",
		"my_token = \"" + noise[:20], "-----BEGIN PGP " + "PRIVATE KEY BLOCK-----\nxVgE", "eyJ" + noise[:40] + ".eyJ", "PuTTY-User-Key-File-3: a\nEncryption: none\n",
		`"client-key-data": "LS0t`, "user:\n    token: " + noise[:9], "<add key=\"Password\" value=\"", "A_SECRET='", "SharedAccessKey=", "twitter_key=\"", "jdbc:a:password=",
	} {
		f.Add(text)
	}
	scan := scanner(f)
	f.Fuzz(func(t *testing.T, content string) {
		for _, path := range []string{
			"/a.yaml", "/a.tf", "/a.p12", "/.netrc", "/.pgpass", "/.npmrc", "/.git/config", "/.docker/config.json", "/nuget.config", "/.env", "/.vault-token",
			"/.bash_history", "/.git/logs/HEAD", "/a.bak",
		} {
			for _, skipped := range scan(path, content).Skipped {
				if skipped.Kind == policy.Undecided {
					t.Errorf("%s crashed in a file named as %s", skipped.Rule, path)
				}
			}
		}
	})
}
