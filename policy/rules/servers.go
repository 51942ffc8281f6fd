package rules

import (
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/phigate/phigate/policy"
)

// server is a program that listens by its nature.
type server struct {
	names    []string
	port     uint16 // its usual one; 0: none unless said
	protocol string
	flags    []string // that name another port; "-p" also as "-p2121"
}

// servers and their options are from their manual pages. What a configuration
// file says is the file detectors' matter.
var servers = []server{
	{names: []string{"sshd"}, port: 22, flags: []string{"-p", "-oPort", "Port"}},
	{names: []string{"dropbear"}, port: 22, flags: []string{"-p"}},
	{names: []string{"telnetd", "in.telnetd", "utelnetd"}, port: 23, flags: []string{"-p"}},
	{names: []string{"vsftpd"}, port: 21, flags: []string{"-olisten_port"}},
	{names: []string{"ftpd", "in.ftpd", "proftpd"}, port: 21, flags: []string{"-p"}},
	{names: []string{"pure-ftpd"}, port: 21, flags: []string{"-S", "--bind"}},
	{names: []string{"tftpd", "in.tftpd", "atftpd"}, port: 69, protocol: "udp", flags: []string{"--port", "-a", "--address"}},
	{names: []string{"nginx", "apache2", "apachectl", "apache2-foreground", "httpd-foreground", "lighttpd"}, port: 80},
	{names: []string{"httpd"}, port: 80, flags: []string{"-p"}},
	{names: []string{"redis-server", "valkey-server", "keydb-server"}, port: 6379, flags: []string{"--port"}},
	{names: []string{"mysqld", "mariadbd", "mysqld_safe", "mariadbd-safe"}, port: 3306, flags: []string{"--port", "-P"}},
	{names: []string{"postgres", "postmaster"}, port: 5432, flags: []string{"-p", "--port", "-cport"}},
	{names: []string{"mongod", "mongos"}, port: 27017, flags: []string{"--port"}},
	{names: []string{"memcached"}, port: 11211, flags: []string{"-p", "--port"}},
	{names: []string{"mosquitto"}, port: 1883, flags: []string{"-p", "--port"}},
	{names: []string{"slapd"}, port: 389},
	{names: []string{"smbd", "samba"}, port: 445, flags: []string{"-p"}},
	{names: []string{"snmpd"}, port: 161, protocol: "udp"},
	{names: []string{"rpcbind"}, port: 111},
	{names: []string{"rlogind", "in.rlogind"}, port: 513},
	{names: []string{"rshd", "in.rshd"}, port: 514},
	{names: []string{"exim", "exim4", "postfix"}, port: 25},
	{names: []string{"dovecot"}, port: 143},
	{names: []string{"Orthanc"}, port: 4242},
	{names: []string{"x11vnc", "Xvnc", "vncserver"}, port: 5900, flags: []string{"-rfbport"}},
}

// clients have options like those of servers for a port that they call.
var clients = []string{
	"psql", "pg_dump", "pg_restore", "mysql", "mysqldump", "mariadb", "redis-cli", "mongo", "mongosh", "mongodump", "ssh", "scp", "sftp",
	"curl", "wget", "ftp", "lftp", "telnet", "kubectl", "etcdctl", "nmap", "ping", "echo", "printf", "sleep", "grep", "sed", "cat",
}

// portFlags name a port that an unknown program offers.
var portFlags = regexp.MustCompile(`^--?((http|https|listen|server|bind|grpc|web|metrics|ftp|telnet|tcp|udp)[-_.]?)?port$`)

// listenFlags name an address, "0.0.0.0:21", that an unknown program offers.
var listenFlags = regexp.MustCompile(`^--?((http|https|grpc|web|server|telemetry|entrypoints?)[-_.])?(listen|bind|addr|address|listen[-_.]?addr(ess)?|bind[-_.]?addr(ess)?)$`)

func (o *offer) command(c command) {
	name := path.Base(c.args[0])
	switch {
	case slices.Contains(clients, name):
		return
	case name == "rsync":
		if slices.Contains(c.args, "--daemon") {
			o.known(c, server{port: 873, flags: []string{"--port"}})
		}
		return
	case name == "tcpsvd" || name == "udpsvd":
		o.superserver(c, strings.TrimSuffix(name, "svd"))
		return
	case name == "nc" || name == "ncat" || name == "netcat":
		o.netcat(c)
		return
	case strings.HasPrefix(name, "python"):
		o.python(c)
	case name == "storescp" || name == "dcmqrscp":
		o.lastNumber(c)
		return
	}
	for _, known := range servers {
		if slices.Contains(known.names, name) {
			o.known(c, known)
			return
		}
	}
	o.unknown(c)
}

// known is a server's own port, or those that its options name instead.
func (o *offer) known(c command, srv server) {
	protocol := srv.protocol
	if protocol == "" {
		protocol = "tcp"
	}
	said := false
	eachFlag(c.args, func(i int, flag, value string) {
		if !slices.Contains(srv.flags, flag) {
			return
		}
		value = strings.ReplaceAll(value, ",", ":") // pure-ftpd: address,port
		if n, _, ok := portOf(value); ok {
			said = true
			o.add(policy.Port{Number: n, Protocol: protocol, Field: c.field(i)})
		} else if value == "0" { // redis-server and others: no port
			said = true
		}
	})
	if !said {
		o.add(policy.Port{Number: srv.port, Protocol: protocol, Field: c.field(0)})
	}
}

// unknown takes the options of a program that say by their name what they are.
func (o *offer) unknown(c command) {
	eachFlag(c.args, func(i int, flag, value string) {
		flag = strings.ToLower(flag)
		if !portFlags.MatchString(flag) && (!listenFlags.MatchString(flag) || !strings.Contains(value, ":") && digits(value) != len(value)) {
			return
		}
		if n, protocol, ok := portOf(value); ok {
			o.add(policy.Port{Number: n, Protocol: protocol, Field: c.field(i)})
		}
	})
}

// eachFlag calls visit with each option and its value, in the forms "-p 21",
// "-p21", "--port=21", "-o Port=21" and "-c port=21".
func eachFlag(args []string, visit func(i int, flag, value string)) {
	for i := 1; i < len(args); i++ {
		a := args[i]
		if !strings.HasPrefix(a, "-") {
			continue
		}
		next := ""
		if i+1 < len(args) {
			next = args[i+1]
		}
		if flag, value, ok := strings.Cut(a, "="); ok {
			visit(i, flag, value)
			continue
		}
		if option, value, ok := strings.Cut(next, "="); ok && len(a) == 2 {
			visit(i+1, a+option, value)
			continue
		}
		if len(a) > 2 && a[1] != '-' && (digits(a[2:]) == len(a)-2 || strings.Contains(a[2:], ":")) {
			visit(i, a[:2], a[2:])
			continue
		}
		visit(i, a, next)
	}
}

// superserver is "tcpsvd [options] ADDRESS PORT PROGRAM", options with values
// left to the first pair that fits.
func (o *offer) superserver(c command, protocol string) {
	for i := 1; i+1 < len(c.args); i++ {
		if strings.HasPrefix(c.args[i], "-") || strings.HasPrefix(c.args[i-1], "-") && digits(c.args[i]) == len(c.args[i]) && c.args[i] != "0" {
			continue
		}
		if n, _, ok := portOf(c.args[i+1]); ok {
			o.add(policy.Port{Number: n, Protocol: protocol, Field: c.field(i + 1)})
			return
		}
	}
}

// netcat listens with -l, on -p PORT or the last number.
func (o *offer) netcat(c command) {
	if slices.ContainsFunc(c.args[1:], func(a string) bool {
		return strings.HasPrefix(a, "-") && !strings.HasPrefix(a, "--") && strings.Contains(a, "l") || a == "--listen"
	}) {
		o.lastNumber(c)
	}
}

// lastNumber is the port of programs that take it as their last bare argument.
func (o *offer) lastNumber(c command) {
	for i := len(c.args) - 1; i > 0; i-- {
		if n, err := strconv.ParseUint(c.args[i], 10, 16); err == nil {
			o.add(policy.Port{Number: uint16(n), Protocol: "tcp", Field: c.field(i)})
			return
		}
	}
}

// python are the servers of its standard library, and pyftpdlib.
func (o *offer) python(c command) {
	i := slices.Index(c.args, "-m")
	if i < 0 || i+1 >= len(c.args) {
		return
	}
	module := command{args: c.args[i+1:], index: c.index + i + 1, shell: c.shell}
	switch c.args[i+1] {
	case "http.server", "SimpleHTTPServer":
		before := len(o.ports)
		o.lastNumber(module)
		if len(o.ports) == before {
			o.add(policy.Port{Number: 8000, Protocol: "tcp", Field: module.field(0)})
		}
	case "pyftpdlib":
		o.known(module, server{port: 2121, flags: []string{"-p", "--port"}})
	}
}
