package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

// copies is how many times the tree is laid down to see how the cost grows.
const copies = 7

// growth copies the tree into work and scans all copies. Each has files of its
// own, so that none is passed over as another name of one that is known; the
// file system may let them share their bytes.
func growth(ctx context.Context, out io.Writer, phigate, tree, work string) ([]*contestant, error) {
	_, size, err := census(tree)
	if err != nil {
		return nil, err
	}
	var stat unix.Statfs_t
	if err := unix.Statfs(work, &stat); err != nil {
		return nil, fmt.Errorf("asking for the space on disk: %w", err)
	}
	if free := int64(stat.Bavail) * int64(stat.Bsize); free < room(size) {
		fmt.Fprintf(out, "no copies of the tree: %.1f GB are free in the cache, %.1f GB are needed\n", float64(free)/1e9, float64(room(size))/1e9)
		return nil, nil
	}
	all := filepath.Join(work, "copies")
	if err := os.Mkdir(all, 0o755); err != nil {
		return nil, fmt.Errorf("making a folder for the copies: %w", err)
	}
	for i := range copies {
		if err := quietly(exec.CommandContext(ctx, "cp", "-a", "--reflink=auto", "--", tree, filepath.Join(all, strconv.Itoa(i+1)))); err != nil {
			return nil, fmt.Errorf("copying the tree: %w", err)
		}
	}
	var info unix.Sysinfo_t
	if err := unix.Sysinfo(&info); err != nil {
		return nil, fmt.Errorf("asking for the memory: %w", err)
	}
	if memory := int64(info.Totalram) * int64(info.Unit); memory < room(size) {
		fmt.Fprintf(out, "the copies do not stay in this machine's %.1f GB of memory: reading them from the disk costs more\n", float64(memory)/1e9)
	}
	return []*contestant{scanOf(nameSeven, phigate, "dir:"+all)}, nil
}

// room is what the copies take, with a quarter more for folders and ends of blocks.
func room(size int64) int64 { return copies * size * 5 / 4 }
