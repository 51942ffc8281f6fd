package doctor

import (
	"archive/tar"
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// exits is exit(0) in machine code, by architecture: system call 60 on amd64, 93
// on arm64. It is all that a container of the canary does.
func exits() (machine elf.Machine, code []byte, err error) {
	switch runtime.GOARCH {
	case "amd64":
		return elf.EM_X86_64, []byte{0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05}, nil // mov eax,60; xor edi,edi; syscall
	case "arm64":
		return elf.EM_AARCH64, []byte{0xa8, 0x0b, 0x80, 0xd2, 0x00, 0x00, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4}, nil // mov x8,93; mov x0,0; svc 0
	}
	return 0, nil, fmt.Errorf("the canary has no program for %s", runtime.GOARCH)
}

// program is an ELF file that ends at once, with exit code 0.
func program() ([]byte, error) {
	machine, code, err := exits()
	if err != nil {
		return nil, err
	}
	const base, head = 0x400000, 64 + 56 // where it is loaded; the two headers
	size := uint64(head + len(code))
	var b bytes.Buffer
	header := elf.Header64{
		Ident: [elf.EI_NIDENT]byte{0x7f, 'E', 'L', 'F', byte(elf.ELFCLASS64), byte(elf.ELFDATA2LSB), byte(elf.EV_CURRENT)},
		Type:  uint16(elf.ET_EXEC), Machine: uint16(machine), Version: uint32(elf.EV_CURRENT),
		Entry: base + head, Phoff: 64, Ehsize: 64, Phentsize: 56, Phnum: 1,
	}
	segment := elf.Prog64{Type: uint32(elf.PT_LOAD), Flags: uint32(elf.PF_R | elf.PF_X), Vaddr: base, Paddr: base, Filesz: size, Memsz: size, Align: 0x10000}
	for _, part := range []any{header, segment, code} {
		if err := binary.Write(&b, binary.LittleEndian, part); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), nil
}

// patients is a table of people who do not exist: numbers that begin with 9
// are given to nobody (20 CFR 422.103).
func patients() []byte {
	text := "mrn,last_name,first_name,dob,ssn,diagnosis\n"
	for i := range 12 {
		text += fmt.Sprintf("MRN%07d,Canary%d,Synthetic,19%02d-%02d-%02d,%03d-%02d-%04d,E11.9\n", 2000000+i, i, 40+i, 1+i, 1+2*i, 910+i, 20+i, 2000+i)
	}
	return []byte(text)
}

// file is one of an image.
type file struct {
	name string
	mode int64
	data []byte
}

// picture is an image of the files, whose command is the first of them.
func picture(files ...file) (v1.Image, error) {
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	for _, f := range files {
		if err := w.WriteHeader(&tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.data)), Typeflag: tar.TypeReg}); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	data := layer.Bytes()
	l, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil })
	if err != nil {
		return nil, err
	}
	img, err := mutate.AppendLayers(empty.Image, l)
	if err != nil {
		return nil, err
	}
	return mutate.ConfigFile(img, &v1.ConfigFile{
		OS: "linux", Architecture: runtime.GOARCH, RootFS: v1.RootFS{Type: "layers", DiffIDs: diffIDs(l)},
		Config: v1.Config{Entrypoint: []string{"/" + files[0].name}, User: "65534:65534", WorkingDir: "/"},
	})
}

func diffIDs(l v1.Layer) []v1.Hash {
	id, err := l.DiffID()
	if err != nil {
		return nil // a layer in memory has one
	}
	return []v1.Hash{id}
}

// archive is both images as `docker save` writes them.
func archive() (io.Reader, error) {
	binary, err := program()
	if err != nil {
		return nil, err
	}
	run := file{"canary", 0o755, binary}
	byRef := map[name.Reference]v1.Image{}
	for ref, files := range map[string][]file{good: {run}, bad: {run, {"data/patients.csv", 0o644, patients()}}} {
		tag, err := name.NewTag(ref)
		if err != nil {
			return nil, err
		}
		if byRef[tag], err = picture(files...); err != nil {
			return nil, err
		}
	}
	var b bytes.Buffer
	if err := tarball.MultiRefWrite(byRef, &b); err != nil {
		return nil, fmt.Errorf("making the canary's images: %w", err)
	}
	return &b, nil
}
