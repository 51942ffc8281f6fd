package pkgdb

import (
	"encoding/binary"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/detecttest"
)

// goInfo makes what Go's linker writes since 1.18.
func goInfo(version, list string) []byte {
	out := append([]byte(goMark), 8, 2)
	out = append(out, make([]byte, 32-len(out))...)
	for _, text := range []string{version, goInfoBegins + list + goInfoEnds} {
		out = append(binary.AppendUvarint(out, uint64(len(text))), text...)
	}
	return out
}

const modules = "path\texample.org/clinic\nmod\texample.org/clinic\t(devel)\t\n" +
	"dep\tgolang.org/x/text\tv0.3.8\th1:x=\ndep\texample.org/old\tv1.0.0\n=>\texample.org/new\tv1.2.0\th1:y=\nbuild\t-trimpath=true\n"

func TestGoPrograms(t *testing.T) {
	mods := []detect.Package{
		{Kind: detect.GoModule, Name: "golang.org/x/text", Version: "v0.3.8"},
		{Kind: detect.GoModule, Name: "example.org/new", Version: "v1.2.0"},
	}
	std := func(version string) []detect.Package {
		return append([]detect.Package{{Kind: detect.GoModule, Name: "stdlib", Version: version}}, mods...)
	}
	for name, c := range map[string]struct {
		content []byte
		want    []detect.Package
	}{
		"inline":    {goInfo("go1.22.3", modules), std("1.22.3")},
		"candidate": {goInfo("go1.23rc1", modules), std("1.23.0-rc.1")},
		"options":   {goInfo("go1.22.3 X:boringcrypto", modules), std("1.22.3")},
		"go_itself": {goInfo("devel go1.23-abc", modules), mods},
		"older":     {[]byte(goInfoBegins + modules + goInfoEnds), mods},
		"twice":     {slices.Concat(goInfo("go1.22.3", modules), make([]byte, 5000), []byte(goInfoBegins+modules+goInfoEnds)), std("1.22.3")},
		"none":      {[]byte("\x7fELF" + goMark), nil},
	} {
		t.Run(name, func(t *testing.T) {
			content := slices.Concat([]byte("\x7fELF"), make([]byte, 20_000), c.content, make([]byte, 20_000))
			for _, size := range []int{len(content), 1000, 7} {
				if diff := cmp.Diff(c.want, detecttest.Run(Insecure(), "/app", content, size).Packages); diff != "" {
					t.Fatalf("packages, in pieces of %d (-want +got):\n%s", size, diff)
				}
			}
		})
	}
	endless := detecttest.Run(Insecure(), "/app", append([]byte(goInfoBegins), make([]byte, 2<<20)...))
	cut := detecttest.Run(Insecure(), "/app", []byte(goInfoBegins+modules))
	for _, got := range []detecttest.Result{endless, cut} {
		if len(got.Packages) != 0 || len(got.Skipped) != 1 {
			t.Errorf("a list without an end: %d packages, %d skipped", len(got.Packages), len(got.Skipped))
		}
	}
	detecttest.Accept(t, Insecure(), goInfo("go1.20.1", "dep\texample.org/secretclinic\tv1.0.0\n"), "/app", detecttest.Secrets("secretclinic"))
}

// TestThisProgram reads what built this test.
func TestThisProgram(t *testing.T) {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := detect.Package{Kind: detect.GoModule, Name: "stdlib", Version: strings.TrimPrefix(runtime.Version(), "go")}
	if got := detecttest.Run(Insecure(), "/app", content, 64<<10).Packages; !slices.Contains(got, want) {
		t.Errorf("%d packages, Go's own version is not among them", len(got))
	}
}
