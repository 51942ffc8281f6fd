package secret

import (
	"bytes"
	"encoding/binary"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// named makes a detector of files that their name and beginning give away; is
// says as what, empty: not at all.
func named(info policy.Info, is func(m *detect.Meta) string) detect.Detector {
	return detect.Detector{Info: info, Open: func(m detect.Meta, s *detect.Sink) detect.Reader {
		if kind := is(&m); kind != "" {
			s.FoundAs(kind, 0)
		}
		return nil
	}}
}

// GitHistory finds the history of a git repository.
func GitHistory() detect.Detector {
	return named(policy.Info{
		ID:       "git-history",
		Aliases:  []string{"SEC-005"},
		Title:    "History of a git repository",
		Cites:    []hipaa.Citation{hipaa.MinimumNecessary},
		Severity: policy.Medium,
		Default:  policy.Warn,
		Rationale: "The history of a repository holds all that was ever in it: test data, passwords and names that were deleted since. An " +
			"image seldom needs it (164.502(b), minimum necessary).",
		Fix: "Name .git in .dockerignore, or remove it in the same layer in which it is cloned.",
	}, gitHistory)
}

func gitHistory(m *detect.Meta) string {
	switch {
	case strings.HasSuffix(m.Path, "/.git/logs/HEAD") && isReflog(m.Head):
		return "Log of a git repository"
	case strings.Contains(m.Path, "/.git/objects/pack/") && bytes.HasPrefix(m.Head, []byte("PACK")):
		return "Pack of a git repository"
	}
	return ""
}

// isReflog says whether a file begins with the names of two commits.
func isReflog(head []byte) bool {
	const name = 40 // digits of SHA-1; SHA-256 has 64
	return len(head) > 2*name && run(head, name, isHex) == name && run(head, 2*name, func(b byte) bool { return isHex(b) || b == ' ' }) == 2*name
}

func isHex(b byte) bool { return isDigit(b) || b >= 'a' && b <= 'f' }

// ShellHistory finds what shells and clients of databases keep of their input.
func ShellHistory() detect.Detector {
	return named(policy.Info{
		ID:       "shell-history",
		Aliases:  []string{"SEC-006"},
		Title:    "History of a shell or database client",
		Cites:    []hipaa.Citation{hipaa.PasswordManagement},
		Severity: policy.Medium,
		Default:  policy.Warn,
		Rationale: "Passwords must be safeguarded (164.308(a)(5)(ii)(D)). Histories keep passwords that were typed as arguments, and queries " +
			"with the names of patients.",
		Fix: "Remove the history from the image; build without an interactive shell.",
	}, shellHistory)
}

// histories are names of such files.
const histories = " .bash_history .zsh_history .zhistory .sh_history .ash_history .ksh_history .history .psql_history .mysql_history .mariadb_history " +
	".sqlite_history .python_history .node_repl_history .rediscli_history .dbshell mongosh_repl_history .irb_history .irb-history .pry_history " +
	"fish_history .rhistory .scala_history .php_history .influx_history .cqlsh_history .usql_history .duckdb_history consolehost_history.txt "

func shellHistory(m *detect.Meta) string {
	if !strings.Contains(histories, " "+strings.ToLower(baseName(m.Path))+" ") {
		return ""
	}
	const libeditHeader = "_HiStOrY_V2_"
	if len(bytes.TrimSpace(bytes.TrimPrefix(m.Head, []byte(libeditHeader)))) == 0 || bytes.IndexByte(m.Head, 0) >= 0 {
		return ""
	}
	return "History of a shell or database client"
}

// MemoryDump finds images of a process's memory.
func MemoryDump() detect.Detector {
	return named(policy.Info{
		ID:       "memory-dump",
		Aliases:  []string{"SEC-007"},
		Title:    "Memory of a process",
		Cites:    []hipaa.Citation{hipaa.EncryptionAtRest},
		Severity: policy.High,
		Default:  policy.Warn,
		Rationale: "A core or heap dump holds what the process had in memory: records, keys and passwords, none of them encrypted " +
			"(164.312(a)(2)(iv)).",
		Fix: "Remove the dump from the image, and have dumps written to a protected volume.",
	}, memoryDump)
}

func memoryDump(m *detect.Meta) string {
	switch {
	case isCore(m.Head):
		return "Core dump"
	case bytes.HasPrefix(m.Head, []byte("JAVA PROFILE 1.0")):
		return "Java heap dump"
	case bytes.HasPrefix(m.Head, []byte("MDMP\x93\xa7")):
		return "Windows minidump"
	case bytes.HasPrefix(m.Head, []byte("PAGEDU64")), bytes.HasPrefix(m.Head, []byte("KDUMP   ")):
		return "Kernel dump"
	}
	return ""
}

// isCore says whether a file is ELF with the type ET_CORE (System V ABI, 4).
func isCore(head []byte) bool {
	const magic, data, kind, core, big = "\x7fELF", 5, 16, 4, 2
	if len(head) < kind+2 || !bytes.HasPrefix(head, []byte(magic)) {
		return false
	}
	if head[data] == big {
		return binary.BigEndian.Uint16(head[kind:]) == core
	}
	return binary.LittleEndian.Uint16(head[kind:]) == core
}

// BackupLeftover finds copies that editors and people leave, and databases' files.
func BackupLeftover() detect.Detector {
	return named(policy.Info{
		ID:       "backup-leftover",
		Aliases:  []string{"SEC-008"},
		Title:    "Backup or database file",
		Cites:    []hipaa.Citation{hipaa.AccessControl},
		Severity: policy.Low,
		Default:  policy.Audit,
		Rationale: "Only persons and programs with access rights may have access to electronic protected health information (164.312(a)(1)). " +
			"Copies of files and databases carry the data without the rights that protect the original.",
		Fix: "Remove the copy from the image; keep backups where access is controlled.",
	}, backupLeftover)
}

func backupLeftover(m *detect.Meta) string {
	if len(m.Head) == 0 {
		return ""
	}
	name := strings.ToLower(baseName(m.Path))
	switch {
	case bytes.HasPrefix(m.Head, []byte("PGDMP")):
		return "Dump of a PostgreSQL database"
	case bytes.HasPrefix(m.Head, []byte("b0VIM ")):
		return "Swap file of an editor"
	case strings.HasSuffix(name, ".ibd") || name == "ibdata1" || strings.HasSuffix(name, ".myd"):
		return "File of a MySQL database"
	case name == "pg_control": // each cluster has one
		return "Files of a PostgreSQL database"
	case (strings.HasSuffix(name, ".mdf") || strings.HasSuffix(name, ".ldf") || strings.HasSuffix(name, ".ndf")) && bytes.HasPrefix(m.Head, []byte("\x01\x0f\x00\x00")):
		return "File of a SQL Server database"
	case isBackupName(name) && !isInstalled(m.Path):
		return "Backup copy of a file"
	}
	return ""
}

// isBackupName says whether a name is that of a copy.
func isBackupName(name string) bool {
	for _, end := range []string{".bak", ".old", ".orig", ".backup", "~"} {
		if strings.HasSuffix(name, end) && len(name) > len(end) {
			return true
		}
	}
	return false
}

// isInstalled says whether a path belongs to what packages bring: not even
// backups there are the owner's.
func isInstalled(path string) bool {
	for _, folder := range []string{"/usr/", "/lib/", "/var/lib/dpkg/", "/var/lib/sgml-base/", "/var/cache/", "/etc/xml/"} {
		if strings.HasPrefix(path, folder) && !strings.HasPrefix(path, "/usr/local/") && !strings.HasPrefix(path, "/usr/src/") {
			return true
		}
	}
	return strings.Contains(path, "/node_modules/") || strings.Contains(path, "/site-packages/") || strings.Contains(path, "/pkg/mod/")
}
