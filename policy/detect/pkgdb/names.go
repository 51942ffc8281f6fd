package pkgdb

import "github.com/phigate/phigate/policy/detect"

// Names reads a database of dpkg or apk and gives the names of the packages that
// are installed; nil: the file is none.
func Names(m detect.Meta, yield func(name string, off int64)) detect.Reader {
	t, ok := databaseOf(m.Path)
	if m.Hit != nil || !ok {
		return nil
	}
	return newRecords(t, func(p entry, off int64) { yield(p.name, off) })
}

// NameRows is the same for a table of rpm's database.
func NameRows(m detect.TableMeta, yield func(name string, row int64)) detect.RowReader {
	return rowsOf(m, func(p *rpmPackage, n int64) { yield(p.name, n) })
}
