package filename_test

import (
	"testing"

	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/filename"
)

// kase is a name, and what is said of it; empty: nothing.
type kase struct {
	entry detect.Entry
	want  string
}

func check(t *testing.T, d detect.Detector, cases map[string]kase) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			if got := d.Name(c.entry); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func file(path string, mode uint32) detect.Entry { return detect.Entry{Path: path, Mode: mode} }

func link(path, to string) detect.Entry {
	return detect.Entry{Path: path, Kind: detect.Link, Mode: 0o777, Link: to}
}

func TestSetuid(t *testing.T) {
	capable := file("/usr/bin/dumper", 0o755)
	capable.Capabilities = true
	ping := file("/usr/bin/ping", 0o755)
	ping.Capabilities = true
	check(t, filename.Setuid(), map[string]kase{
		"ordinary":       {file("/usr/bin/ls", 0o755), ""},
		"usual":          {file("/usr/bin/su", 0o4755), ""},
		"usual_setgid":   {file("/usr/bin/chage", 0o2755), ""},
		"usual_library":  {file("/usr/lib/openssh/ssh-keysign", 0o4755), ""},
		"usual_capable":  {ping, ""},
		"sudo":           {file("/usr/bin/sudo", 0o4755), "Setuid program"},
		"usual_in_local": {file("/usr/local/bin/su", 0o4755), "Setuid program"},
		"usual_in_app":   {file("/app/su", 0o4755), "Setuid program"},
		"setgid":         {file("/opt/x", 0o2755), "Setgid program"},
		"lock":           {file("/opt/x", 0o2744), ""},
		"not_executable": {file("/opt/x", 0o4644), ""},
		"capabilities":   {capable, "Program with file capabilities"},
		"folder":         {detect.Entry{Path: "/srv", Kind: detect.Folder, Mode: 0o2775}, ""},
		"link":           {link("/bin/x", "sudo"), ""},
	})
}

func TestWorldWritable(t *testing.T) {
	check(t, filename.WorldWritable(), map[string]kase{
		"ordinary": {file("/srv/a", 0o664), ""},
		"file":     {file("/srv/a", 0o666), "File that everybody can change"},
		"folder":   {detect.Entry{Path: "/srv", Kind: detect.Folder, Mode: 0o777}, "Folder that everybody can change"},
		"sticky":   {detect.Entry{Path: "/srv", Kind: detect.Folder, Mode: 0o1777}, ""},
		"link":     {link("/srv/a", "b"), ""},
		"socket":   {detect.Entry{Path: "/srv/s", Kind: detect.Special, Mode: 0o777}, ""},
		"tmp":      {detect.Entry{Path: "/tmp", Kind: detect.Folder, Mode: 0o777}, ""},
		"in_tmp":   {file("/var/tmp/a", 0o666), ""},
		"tmpfiles": {file("/tmpfiles", 0o666), "File that everybody can change"},
	})
}

func TestPlaintextPrograms(t *testing.T) {
	check(t, filename.PlaintextPrograms(), map[string]kase{
		"telnetd":   {file("/usr/sbin/in.telnetd", 0o755), "Telnet server"},
		"busybox":   {link("/usr/sbin/ftpd", "/bin/busybox"), "FTP server"},
		"rsh":       {file("/usr/bin/rsh", 0o755), "Client of the r-services"},
		"rsh_link":  {link("/usr/bin/rsh", "/etc/alternatives/rsh"), ""},
		"elsewhere": {file("/usr/share/doc/vsftpd", 0o755), ""},
		"data":      {file("/usr/sbin/vsftpd", 0o644), ""},
	})
}

func TestTools(t *testing.T) {
	check(t, filename.Tools(), map[string]kase{
		"nmap":    {file("/usr/bin/nmap", 0o755), "Network scanner or sniffer"},
		"gcc":     {file("/usr/bin/x86_64-linux-gnu-gcc-12", 0o755), "Compiler"},
		"gdb":     {file("/usr/bin/gdb", 0o755), "Debugger"},
		"socat":   {file("/usr/bin/socat1", 0o755), ""},
		"nc":      {file("/bin/nc.openbsd", 0o755), "Tool that opens any connection"},
		"applet":  {link("/usr/bin/nc", "/bin/busybox"), ""},
		"config":  {file("/etc/nmap", 0o644), ""},
		"version": {file("/usr/bin/gcc-12.2", 0o755), "Compiler"},
	})
}
