package images

import (
	"archive/tar"
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// File is one entry of a layer. The zero value is an empty regular file of mode 0644.
type File struct {
	Body     []byte
	Mode     int64 // permission bits; 0 means 0644, for a folder 0755
	UID, GID int
	Dir      bool
	Link     string // symbolic link to this
	Hard     string // hard link to this path of the same layer
	// Type is any other tar type, such as tar.TypeFifo or tar.TypeChar with the numbers below.
	Type         byte
	Major, Minor int64
}

// Text is a regular file with this content.
func Text(content string) File { return File{Body: []byte(content)} }

// Files are one layer, by absolute path. Folders above a path are added.
type Files map[string]File

func (f Files) apply(img v1.Image) (v1.Image, error) {
	layer, err := f.Layer()
	if err != nil {
		return nil, err
	}
	return mutate.AppendLayers(img, layer)
}

// Whiteout is the path of the entry that deletes path from the layers below.
func Whiteout(name string) string { return path.Dir(name) + "/.wh." + path.Base(name) }

// Opaque is the path of the entry that hides what lower layers have in the folder.
func Opaque(folder string) string { return strings.TrimSuffix(folder, "/") + "/.wh..wh..opq" }

// Layer is the uncompressed layer of the files, ordered by path.
func (f Files) Layer() (Layer, error) {
	return Stream(func(w *tar.Writer) error {
		for _, name := range f.paths() {
			file, named := f[name]
			if !named {
				file.Dir = true
			}
			if err := file.write(w, name); err != nil {
				return fmt.Errorf("writing a layer's entry: %w", err)
			}
		}
		return nil
	})
}

// paths lists the files and all folders above them; a hard link comes last, since its target must be there.
func (f Files) paths() []string {
	all := map[string]bool{}
	for name := range f {
		all[name] = true
		for dir := path.Dir(name); dir != "/" && dir != "."; dir = path.Dir(dir) {
			all[dir] = true
		}
	}
	return slices.SortedFunc(maps.Keys(all), func(a, b string) int {
		if ha, hb := f[a].Hard != "", f[b].Hard != ""; ha != hb {
			if ha {
				return 1
			}
			return -1
		}
		return strings.Compare(a, b)
	})
}

func (file File) write(w *tar.Writer, name string) error {
	h := &tar.Header{
		Name: strings.TrimPrefix(name, "/"), Mode: file.Mode, Uid: file.UID, Gid: file.GID,
		Size: int64(len(file.Body)), Typeflag: file.Type, Devmajor: file.Major, Devminor: file.Minor,
		ModTime: time.Unix(0, 0),
	}
	switch {
	case file.Type != 0:
	case file.Dir:
		h.Typeflag, h.Name = tar.TypeDir, h.Name+"/"
	case file.Link != "":
		h.Typeflag, h.Linkname = tar.TypeSymlink, file.Link
	case file.Hard != "":
		h.Typeflag, h.Linkname = tar.TypeLink, strings.TrimPrefix(file.Hard, "/")
	default:
		h.Typeflag = tar.TypeReg
	}
	if h.Mode == 0 {
		h.Mode = 0o644
		if h.Typeflag == tar.TypeDir {
			h.Mode = 0o755
		}
	}
	if err := w.WriteHeader(h); err != nil {
		return err
	}
	_, err := w.Write(file.Body)
	return err
}

// Tar is a layer of exactly these bytes, well-formed or not.
func Tar(raw []byte) (Layer, error) {
	return stream(func(w io.Writer) error {
		_, err := w.Write(raw)
		return err
	})
}

// Stream is an uncompressed layer that write produces whenever it is read, so
// that a large one takes no memory. write must give the same bytes each time.
func Stream(write func(*tar.Writer) error) (Layer, error) {
	return stream(func(w io.Writer) error {
		t := tar.NewWriter(w)
		if err := write(t); err != nil {
			return err
		}
		return t.Close()
	})
}

// Random is a layer of one file with size bytes that no compression makes
// smaller; another seed gives another layer. About 1 GB per second.
func Random(name string, size int64, seed uint64) (Layer, error) {
	return Stream(func(w *tar.Writer) error {
		err := w.WriteHeader(&tar.Header{
			Name: strings.TrimPrefix(name, "/"), Mode: 0o644, Size: size,
			Typeflag: tar.TypeReg, ModTime: time.Unix(0, 0),
		})
		if err != nil {
			return err
		}
		_, err = io.CopyN(w, noise(seed), size)
		return err
	})
}

// Many is a layer of n files that hold the given content, a thousand in each
// folder, below the folder below.
func Many(below string, n int, content []byte) (Layer, error) {
	return Stream(func(w *tar.Writer) error {
		for i := range n {
			name := fmt.Sprintf("%s/%03d/%03d.txt", below, i/1000, i%1000)
			if err := (File{Body: content}).write(w, name); err != nil {
				return err
			}
		}
		return nil
	})
}

// noise is AES in counter mode over zeros: incompressible, and as fast as the machine hashes.
func noise(seed uint64) io.Reader {
	var key, iv [16]byte
	binary.BigEndian.PutUint64(key[:], seed)
	block, err := aes.NewCipher(key[:])
	if err != nil { // 16 bytes are a valid key
		panic(err)
	}
	return cipher.StreamReader{S: cipher.NewCTR(block, iv[:]), R: zeros{}}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

// streamed is a v1.Layer that is never compressed: its digest is its diffID.
type streamed struct {
	write  func(io.Writer) error
	digest v1.Hash
	size   int64
}

func stream(write func(io.Writer) error) (Layer, error) {
	hash := sha256.New()
	var size counter
	if err := write(io.MultiWriter(hash, &size)); err != nil {
		return Layer{}, fmt.Errorf("hashing a layer: %w", err)
	}
	digest := v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(hash.Sum(nil))}
	return Layer{&streamed{write: write, digest: digest, size: int64(size)}}, nil
}

type counter int64

func (c *counter) Write(p []byte) (int, error) {
	*c += counter(len(p))
	return len(p), nil
}

func (s *streamed) Digest() (v1.Hash, error) { return s.digest, nil }
func (s *streamed) DiffID() (v1.Hash, error) { return s.digest, nil }
func (s *streamed) Size() (int64, error)     { return s.size, nil }

func (s *streamed) MediaType() (types.MediaType, error) { return types.DockerUncompressedLayer, nil }

func (s *streamed) Compressed() (io.ReadCloser, error) { return s.Uncompressed() }

// Uncompressed writes small layers to memory and large ones into a pipe. The
// reader must be read to its end or closed.
func (s *streamed) Uncompressed() (io.ReadCloser, error) {
	const small = 8 << 20
	if s.size <= small {
		var b bytes.Buffer
		b.Grow(int(s.size))
		if err := s.write(&b); err != nil {
			return nil, err
		}
		return io.NopCloser(&b), nil
	}
	r, w := io.Pipe()
	go func() { w.CloseWithError(s.write(w)) }()
	return r, nil
}
