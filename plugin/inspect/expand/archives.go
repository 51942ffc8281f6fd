package expand

import (
	"bytes"
	"path"
	"strings"
)

// archives are the formats of archives and compression. A format without open
// is recognised, so that nobody takes silence for "looked into".
func archives() []format {
	return []format{
		{kind: Gzip, name: "gzip stream", magic: begins("\x1f\x8b\x08"), open: openGzip},
		{kind: Zip, name: "zip archive", random: true, magic: isZip, open: openZip, forward: scanZip},
		{kind: Xz, name: "xz stream", magic: begins("\xfd7zXZ\x00"), open: openXz},
		{kind: Zstd, name: "zstd stream", magic: isZstd, open: openZstd},
		{kind: Bzip2, name: "bzip2 stream", magic: isBzip2, open: openBzip2},
		{kind: Lzma, name: "lzma stream", magic: isLzma, open: openLzma},
		{kind: Snappy, name: "snappy stream", magic: begins("\xff\x06\x00\x00sNaPpY", "\xff\x06\x00\x00S2sTwO"), open: openSnappy},
		{kind: Lz4, name: "lz4 stream", magic: begins(lz4Magic), open: openLz4},
		{kind: Tar, name: "tar archive", magic: isTar, open: openTar},
		{kind: Deb, name: "Debian package", magic: begins("!<arch>\ndebian-binary"), open: openDeb},
		{kind: Cpio, name: "cpio archive", magic: isCpio, open: openCpio},
		{kind: RPM, name: "RPM package", magic: begins("\xed\xab\xee\xdb"), open: openRPM},

		{kind: SevenZip, name: "7z archive", magic: begins("7z\xbc\xaf\x27\x1c")},
		{kind: RAR, name: "RAR archive", magic: begins("Rar!\x1a\x07")},
		{kind: Cabinet, name: "cabinet archive", magic: begins("MSCF\x00\x00\x00\x00")},
		{kind: Lzip, name: "lzip stream", magic: begins("LZIP\x01")},
		{kind: Lzop, name: "lzop stream", magic: begins("\x89LZO\x00\r\n\x1a\n")},
		{kind: Compress, name: "compress stream", magic: isCompress},
		{kind: Xar, name: "xar archive", magic: begins("xar!\x00")},
		{kind: Squashfs, name: "squashfs image", magic: begins("hsqs", "sqsh")},
		{kind: Age, name: "age encrypted file", magic: begins("age-encryption.org/v1\n", "-----BEGIN AGE ENCRYPTED FILE-----")},
		{kind: PGP, name: "PGP encrypted file", magic: begins("-----BEGIN PGP MESSAGE-----")},
		{kind: OpenSSL, name: "OpenSSL encrypted file", magic: begins("Salted__")},
		{kind: LUKS, name: "LUKS encrypted volume", magic: begins("LUKS\xba\xbe")},
	}
}

// begins recognises a kind by its first bytes.
func begins(magic ...string) func(string, []byte) bool {
	return func(_ string, head []byte) bool {
		for _, m := range magic {
			if len(head) >= len(m) && string(head[:len(m)]) == m {
				return true
			}
		}
		return false
	}
}

// isZip takes a file with a program before the archive by its name: a zip
// archive is read from its end.
func isZip(name string, head []byte) bool {
	if begins("PK\x03\x04", "PK\x05\x06", "PK\x07\x08PK\x03\x04", "PK00PK\x03\x04")(name, head) {
		return true
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".zip", ".jar", ".war", ".ear", ".whl", ".pyz", ".egg", ".pex":
		return begins("#!", "MZ", "\x7fELF")(name, head)
	}
	return false
}

// isZstd takes a skippable frame only before a frame: its magic alone is too weak.
func isZstd(name string, head []byte) bool {
	const frame = "\x28\xb5\x2f\xfd"
	if len(head) > 8 && head[0]&0xF0 == 0x50 && string(head[1:4]) == "\x2a\x4d\x18" {
		return bytes.Contains(head[8:], []byte(frame))
	}
	return begins(frame)(name, head)
}

// isBzip2 looks at the first block's magic, too: that of a block or of the end.
func isBzip2(_ string, head []byte) bool {
	if len(head) < 10 || string(head[:3]) != "BZh" || head[3] < '1' || head[3] > '9' {
		return false
	}
	block := string(head[4:10])
	return block == "\x31\x41\x59\x26\x53\x59" || block == "\x17\x72\x45\x38\x50\x90"
}

// isLzma recognises the old format, which has no magic: the usual properties, a
// dictionary size as encoders write it, and a size that is unknown or below 256 GiB.
func isLzma(name string, head []byte) bool {
	if len(head) < 13 || head[0] != 0x5D || head[1] != 0 || head[2] != 0 && !strings.HasSuffix(name, ".lzma") {
		return false
	}
	unknown := string(head[5:13]) == "\xff\xff\xff\xff\xff\xff\xff\xff"
	known := string(head[10:13]) == "\x00\x00\x00" && strings.HasSuffix(name, ".lzma")
	return (unknown || known) && head[4] < 0x10
}

// isCompress asks for the name as well: two bytes are little.
func isCompress(name string, head []byte) bool {
	return begins("\x1f\x9d", "\x1f\xa0", "\x1f\x1e")(name, head) && (strings.HasSuffix(name, ".Z") || strings.HasSuffix(name, ".z"))
}
