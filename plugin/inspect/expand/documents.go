package expand

import (
	"bytes"
	"encoding/binary"
	"io"
	"path"
	"strings"
)

// The kinds of databases and documents.
const (
	SQLite Kind = firstDocument + iota
	Parquet
	Office
	PDF
	PgDump
	Avro
	OLE
	Access
	TapeBackup
	ORC
	Globals
	SQLiteWAL
	SQLiteJournal
	Berkeley
	Ndb
)

// documents are the formats of databases and documents. Those without open are
// recognised and not looked into; of some the bytes are worth a look.
func documents() []format {
	return []format{
		{kind: SQLite, name: "SQLite database", raw: true, random: true, magic: begins(sqliteMagic), open: openSQLiteFile},
		{kind: SQLiteWAL, name: "SQLite write-ahead log", raw: true, random: true, magic: begins(walMagicLE, walMagicBE), open: openWAL},
		{kind: SQLiteJournal, name: "SQLite rollback journal", raw: true, random: true, magic: begins("\xd9\xd5\x05\xf9\x20\xa1\x63\xd7")},
		{kind: Berkeley, name: "rpm database of Berkeley DB", raw: true, random: true, magic: isBerkeley, open: openBerkeley},
		{kind: Ndb, name: "rpm database of ndb", raw: true, random: true, magic: begins(ndbMagic), open: openNdb},
		{kind: PgDump, name: "PostgreSQL dump", magic: begins(pgMagic), open: openPgDump},
		{kind: Parquet, name: "Parquet file", random: true, magic: begins(parquetMagic, "PARE"), open: openParquet},
		{kind: Office, name: "document", random: true, magic: isOffice, open: openDocument, forward: scanZip},
		{kind: PDF, name: "PDF document", random: true, magic: isPDF, open: openPDF},
		{kind: OLE, name: "legacy Office document", raw: true, random: true, magic: begins(oleMagic), open: openOLE},

		{kind: Access, name: "Access database", raw: true, random: true, magic: begins("\x00\x01\x00\x00Standard Jet DB", "\x00\x01\x00\x00Standard ACE DB")},
		{kind: TapeBackup, name: "SQL Server backup", raw: true, random: true, magic: isTape},
		{kind: Avro, name: "Avro file", raw: true, random: true, magic: begins("Obj\x01")},
		{kind: ORC, name: "ORC file", raw: true, random: true, magic: begins("ORC\x0a", "ORC\x0b", "ORC\x08", "ORC\x00", "ORC\x01")},
		{kind: Globals, name: "Caché or IRIS database", raw: true, random: true, magic: isGlobals},
	}
}

// isOffice takes what looks like a document: a zip archive that proves to be none
// is visited like one.
func isOffice(name string, head []byte) bool {
	if !begins("PK\x03\x04")(name, head) {
		return false
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".xlsx", ".xlsm", ".xltx", ".xltm", ".xlsb", ".docx", ".docm", ".dotx", ".dotm", ".pptx", ".pptm", ".ppsx", ".potx",
		".odt", ".ott", ".ods", ".ots", ".odp", ".odg":
		return true
	}
	for _, part := range []string{"[Content_Types].xml", "xl/workbook.xml", "word/document.xml", "mimetypeapplication/vnd.oasis.opendocument"} {
		if bytes.Contains(head, []byte(part)) {
			return true
		}
	}
	return false
}

// isPDF allows for something before the header, as readers do (ISO 32000-1, annex H.3.4.1).
func isPDF(name string, head []byte) bool {
	if begins("%PDF-")(name, head) {
		return true
	}
	return strings.EqualFold(path.Ext(name), ".pdf") && bytes.Contains(head[:min(len(head), 1024)], []byte("%PDF-"))
}

// isTape asks for what follows in a Microsoft Tape Format header, too: "TAPE" is a word.
func isTape(_ string, head []byte) bool {
	return len(head) >= 52 && string(head[:4]) == "TAPE" && bytes.IndexByte(head[4:52], 0) >= 0
}

// isGlobals goes by the name alone: the format is not published.
func isGlobals(name string, _ []byte) bool {
	switch strings.ToUpper(path.Base(name[strings.LastIndexByte(name, '!')+1:])) {
	case "IRIS.DAT", "CACHE.DAT":
		return true
	}
	return false
}

// oleMagic begins a compound file ([MS-CFB] 2.2).
const oleMagic = "\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"

// openOLE says which of two things a compound file is that cannot be looked into:
// a document of the nineties or the wrapping of an encrypted one ([MS-OFFCRYPTO] 2.3.4).
func openOLE(_ *expansion, _ string, in input) error {
	var head [512]byte
	if _, err := in.At.ReadAt(head[:], 0); err != nil {
		return unexpected(err)
	}
	shift := binary.LittleEndian.Uint16(head[30:])
	if shift != 9 && shift != 12 {
		return errDamaged
	}
	directory := make([]byte, 8<<shift)
	at := (int64(binary.LittleEndian.Uint32(head[48:])) + 1) << shift
	n, err := in.At.ReadAt(directory, at)
	if err != nil && err != io.EOF {
		return err
	}
	if bytes.Contains(directory[:n], []byte("E\x00n\x00c\x00r\x00y\x00p\x00t\x00e\x00d\x00P\x00a\x00c\x00k\x00a\x00g\x00e\x00")) {
		return reason("encrypted document")
	}
	return reason("not looked into: legacy Office document")
}

// openSQLiteFile visits the tables of a database.
func openSQLiteFile(x *expansion, path string, in input) error {
	db, err := openSQLite(in.At, in.Size)
	if err != nil {
		return err
	}
	defer x.database(path)()
	for _, t := range db.tables() {
		if err := x.check(); err != nil {
			return err
		}
		rows := x.table(inside(path, t.name), t.columns)
		if rows == nil {
			continue
		}
		err := db.rows(t, func(cells [][]byte) error {
			if !rows.row(cells) {
				return errStop
			}
			return nil
		})
		rows.close()
		if err := ignore(err, errStop); err != nil {
			return err
		}
	}
	switch {
	case db.damaged:
		return errDamaged
	case db.cut:
		return errSQLiteCut
	}
	return x.check()
}
