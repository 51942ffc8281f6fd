package daemon

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// explain adds the next step to what a disk may answer when phigated begins. The
// unit starts phigated again by itself; until it runs, nothing is admitted.
func explain(err error, dir string) error {
	switch {
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return fmt.Errorf("%w; the file system of %s is full: see with df -h %s and df -i %s what is, and make room; phigate's own share shows du -sh %s/*. "+
			"Of the decision log remove nothing by hand: audit.archive in phigate.yaml takes full segments off the node", err, dir, dir, dir, dir)
	case errors.Is(err, unix.EROFS):
		return fmt.Errorf("%w; the file system of %s is read-only: findmnt -T %s shows it, dmesg whether the kernel made it so after an error; "+
			"where it is meant to be read-only, name another folder as stateDir in phigate.yaml", err, dir, dir)
	case errors.Is(err, unix.EIO):
		return fmt.Errorf("%w; the disk of %s fails: dmesg and smartctl say which. Copy %s/decisions to another disk before anything is tried, "+
			"check the copy with phigate audit verify --log COPY, and name a folder on a good disk as stateDir in phigate.yaml", err, dir, dir)
	}
	return err
}
