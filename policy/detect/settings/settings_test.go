package settings_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/detecttest"
	"github.com/phigate/phigate/policy/detect/settings"
)

// kase is a file, and what is found in it; no message: nothing.
type kase struct {
	path, content, want string
}

func check(t *testing.T, d detect.Detector, cases map[string]kase) {
	t.Helper()
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := ""
			if f := detecttest.Run(d, c.path, []byte(c.content)).Of(d.ID); f != nil {
				got = f.Message
			}
			if got != c.want {
				t.Errorf("found %q, want %q", got, c.want)
			}
		})
	}
}

// Hashes as openssl passwd and crypt(3) of libxcrypt make them, of "password",
// "changeme" and "clerk"; those that end in Other are of a word that nobody ships.
const (
	yescryptPassword = "$y$j9T$saltsaltsaltsaltsalt1.$4zyLR9S8yew6LoBc/AO3FAwqao9uRC1akNnS9Otbva2"
	yescryptClerk    = "$y$j9T$saltsaltsaltsaltsalt1.$W6p2Fmurtx8R5Db9OH.pTqYeDKFF2sZBh5HNQzAdRd8"
	yescryptSmall    = "$y$j75$abcdefgh$BzQ/Q3ssanARhaS/VgiFkENPtOXGzvpch9ry26yhepD"
	yescryptOther    = "$y$j9T$saltsaltsaltsaltsalt1.$x.B6enLkXmOJr9/9bXzF7I.D.dus8SQ.diij4zQCVn6"
	bcryptPassword   = "$2b$05$abcdefghijklmnopqrstuuWG29KuyeAicPCJODk1zjyGvyQUU2awu"
	bcryptChangeMe   = "$2y$10$abcdefghijklmnopqrstuuNoxnDJvT28ksylHU.AJnr1SrNy0Vb9u"
	bcryptOther      = "$2b$05$abcdefghijklmnopqrstuufTaptWJ1IV1getGvjU/ZeuMnz0VhwJa"
	md5ChangeMe      = "$1$abcdefgh$vamWXVmzWr.RuXnIdXGZJ0"
	md5Clerk         = "$1$ab$PNQ6SSNxU6APflYxhmnLn."
	shipped          = "Account with a default password"
	sha512Password   = "$6$saltstring$adDbXsJjcDlq2662QPgd.tkSOVmnG9Tt3oXl4HR60SusC3AGjirnDenVZp3DGwLwqy6iYKCzannhaX9DR72nN1"
	sha256ChangeMe   = "$5$abcdefgh$3fM6mFuAV9ELpU9jDao9SkF9MDf3pWLUQ27Lxh/D9a6"
	sha512Clerk      = "$6$0123456789abcdef$.AmEW.4qPFnC3Iy739VarpiLKR.PpHeGyUZ8aYfTGGk5tu0z8Bnf8cv95f2.6b1jQ3z.iUncGbV2oqZv7z7fN0"
)

func TestAccounts(t *testing.T) {
	const none, second = "Account without a password", "Second account with root's number"
	check(t, settings.Accounts(), map[string]kase{
		"locked":        {"/etc/shadow", "root:*:19000:0:99999:7:::\napp:!:19000::::::\n", ""},
		"hashed":        {"/etc/shadow", "root:$6$abc$def:19000:0:99999:7:::\n", ""},
		"empty":         {"/etc/shadow", "root::19000:0:99999:7:::\n", none},
		"not_shadow":    {"/srv/shadow", "root::19000:0:99999:7:::\n", ""},
		"ordinary":      {"/etc/passwd", "root:x:0:0:root:/root:/bin/sh\napp:x:10001:0::/:/sbin/nologin\n", ""},
		"open":          {"/etc/passwd", "guest::1000:1000::/:/bin/sh\n", none},
		"second_root":   {"/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nadmin:x:0:0::/:/bin/sh\n", second},
		"nis":           {"/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n+::0:0:::\n", ""},
		"no_fields":     {"/etc/passwd", "::::::::\nx\n", ""},
		"default_512":   {"/etc/shadow", "root:" + sha512Password + ":19000::::::\n", shipped},
		"default_256":   {"/etc/shadow", "root:" + sha256ChangeMe + ":19000::::::\n", shipped},
		"own_name":      {"/etc/shadow", "clerk:" + sha512Clerk + ":19000::::::\n", shipped},
		"another_name":  {"/etc/shadow", "root:" + sha512Clerk + ":19000::::::\n", ""},
		"yescrypt":      {"/etc/shadow", "root:" + yescryptPassword + ":19000::::::\n", shipped},
		"yescrypt_name": {"/etc/shadow", "clerk:" + yescryptClerk + ":19000::::::\n", shipped},
		"yescrypt_low":  {"/etc/shadow", "root:" + yescryptSmall + ":19000::::::\n", shipped},
		"yescrypt_not":  {"/etc/shadow", "root:" + yescryptOther + ":19000::::::\n", ""},
		"bcrypt":        {"/etc/shadow", "root:" + bcryptPassword + ":19000::::::\n", shipped},
		"bcrypt_2y":     {"/etc/shadow", "root:" + bcryptChangeMe + ":19000::::::\n", shipped},
		"bcrypt_not":    {"/etc/shadow", "root:" + bcryptOther + ":19000::::::\n", ""},
		"md5":           {"/etc/shadow", "root:" + md5ChangeMe + ":19000::::::\n", shipped},
		"md5_name":      {"/etc/shadow", "clerk:" + md5Clerk + ":19000::::::\n", shipped},
		"md5_not":       {"/etc/shadow", "root:" + md5Clerk + ":19000::::::\n", ""},
		"locked_hash":   {"/etc/shadow", "root:!" + md5ChangeMe + ":19000::::::\n", ""},
		"slow":          {"/etc/shadow", "root:$6$rounds=999999999$abc$def:19000::::::\n", ""},
		"tomcat":        {"/opt/tomcat/conf/tomcat-users.xml", `<tomcat-users><user username="admin" password="admin" roles="manager-gui"/></tomcat-users>`, shipped},
		"tomcat_own":    {"/opt/tomcat/conf/tomcat-users.xml", `<user username="admin" password="q8Zr2LwXv9Tb" roles="a"/>`, ""},
		"tomcat_shown":  {"/opt/tomcat/conf/tomcat-users.xml", "<!--\n<user username=\"admin\" password=\"admin\" roles=\"a\"/>\n-->", ""},
		"grafana":       {"/etc/grafana/grafana.ini", "[security]\nadmin_password = admin\n", shipped},
		"grafana_not":   {"/etc/grafana/grafana.ini", "[security]\n;admin_password = admin\nadmin_password = $__file{/run/x}\n", ""},
		"rabbitmq":      {"/etc/rabbitmq/rabbitmq.conf", "default_user = guest\ndefault_pass = guest\n", shipped},
		"activemq":      {"/opt/activemq/conf/jetty-realm.properties", "admin: admin, admin\n", shipped},
	})
	sample := "root:x:0:0:root:/root:/bin/sh\nSecretAdministrator:x:0:0::/:/bin/sh\n"
	detecttest.Accept(t, settings.Accounts(), []byte(sample), "/etc/passwd", detecttest.Secrets("SecretAdministrator"))
}

// TestUntriedPasswords: what is not compared with the default passwords is said.
func TestUntriedPasswords(t *testing.T) {
	for name, c := range map[string]struct {
		content string
		untried bool
	}{
		"rounds":        {"root:$6$rounds=999999999$abc$def:19000::::::\n", true},
		"bcrypt_cost":   {"root:$2b$14$abcdefghijklmnopqrstuufTaptWJ1IV1getGvjU/ZeuMnz0VhwJa:19000::::::\n", true},
		"yescrypt_size": {"root:$y$jFT$saltsaltsaltsaltsalt1.$x.B6enLkXmOJr9/9bXzF7I.D.dus8SQ.diij4zQCVn6:19000::::::\n", true},
		"des":           {"root:abJnggxhB/yWI:19000::::::\n", true},
		"other_method":  {"root:$gy$j9T$a$b:19000::::::\n", true},
		"three_slow":    {strings.Repeat("a:"+bcryptOther+":19000::::::\n", 3), true},
		"two_slow":      {strings.Repeat("a:"+bcryptOther+":19000::::::\n", 2), false},
		"locked":        {"root:*:19000::::::\nb:!:19000::::::\nc:!*:19000::::::\nd:!!:19000::::::\ne:!$6$a$b:19000::::::\n", false},
		"tried":         {"root:" + sha512Clerk + ":19000::::::\n", false},
	} {
		t.Run(name, func(t *testing.T) {
			got := detecttest.Run(settings.Accounts(), "/etc/shadow", []byte(c.content)).Skipped
			if (len(got) == 1) != c.untried {
				t.Errorf("said of %d: %v", len(got), got)
			}
		})
	}
}

// BenchmarkDefaultPassword is the time that one account takes, of the slowest
// methods that are tried.
func BenchmarkDefaultPassword(b *testing.B) {
	for name, hash := range map[string]string{"yescrypt": yescryptOther, "bcrypt": strings.Replace(bcryptOther, "$05$", "$10$", 1)} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				detecttest.Run(settings.Accounts(), "/etc/shadow", []byte("root:"+hash+":19000::::::\n"))
			}
		})
	}
}

func TestSSHServer(t *testing.T) {
	const pass, forever, root = "SSH server that takes passwords", "SSH server that never ends a session", "SSH server that lets root in with a password"
	check(t, settings.SSHServer(), map[string]kase{
		"strict":   {"/etc/ssh/sshd_config", "PermitRootLogin no\nPasswordAuthentication no\nClientAliveInterval 5m\n", ""},
		"root":     {"/etc/ssh/sshd_config", "PermitRootLogin yes\nPasswordAuthentication no\nClientAliveInterval=300\n", root},
		"default":  {"/etc/ssh/sshd_config", "#PasswordAuthentication no\nUsePAM yes\nClientAliveInterval 300\n", pass},
		"forever":  {"/etc/ssh/sshd_config", "Subsystem sftp x\nPasswordAuthentication no\n", forever},
		"zero":     {"/etc/ssh/sshd_config", "PasswordAuthentication no\nClientAliveInterval 0\n", forever},
		"first":    {"/etc/ssh/sshd_config", "PasswordAuthentication no\nPasswordAuthentication yes\nClientAliveInterval 9\n", ""},
		"match":    {"/etc/ssh/sshd_config", "PasswordAuthentication no\nClientAliveInterval 9\nMatch User a\n PasswordAuthentication yes\n", pass},
		"included": {"/etc/ssh/sshd_config", "Include /etc/ssh/sshd_config.d/*.conf\n", ""},
		"piece":    {"/etc/ssh/sshd_config.d/a.conf", "PermitEmptyPasswords yes\n", "SSH server that takes empty passwords"},
		"client":   {"/etc/ssh/ssh_config", "PasswordAuthentication yes\n", ""},
	})
	detecttest.Accept(t, settings.SSHServer(), []byte("AllowUsers topsecretname\nPasswordAuthentication no\nClientAliveInterval 300\nPermitRootLogin yes\n"),
		"/etc/ssh/sshd_config", detecttest.Secrets("topsecretname"))
}

func TestTLS(t *testing.T) {
	const old, none = "Server that speaks a broken version of TLS", "Database that takes connections without TLS"
	check(t, settings.TLS(), map[string]kase{
		"nginx":          {"/etc/nginx/nginx.conf", "http {\n  ssl_protocols TLSv1.2 TLSv1.3;\n}\n", ""},
		"nginx_old":      {"/etc/nginx/conf.d/a.conf", "  ssl_protocols TLSv1 TLSv1.1 TLSv1.2;\n", old},
		"nginx_comment":  {"/etc/nginx/nginx.conf", "# ssl_protocols SSLv3;\n", ""},
		"apache_all":     {"/etc/apache2/mods-available/ssl.conf", "SSLProtocol all -SSLv3\n", ""},
		"apache_old":     {"/etc/httpd/conf.d/ssl.conf", "SSLProtocol +TLSv1\n", old},
		"openssl":        {"/etc/ssl/openssl.cnf", "MinProtocol = TLSv1.2\nCipherString = DEFAULT:@SECLEVEL=2\n", ""},
		"openssl_old":    {"/etc/ssl/openssl.cnf", "MinProtocol = TLSv1\n", "Library that speaks a broken version of TLS"},
		"openssl_level":  {"/etc/ssl/openssl.cnf", "CipherString = DEFAULT@SECLEVEL=0\n", "Library that takes keys of any length"},
		"haproxy":        {"/etc/haproxy/haproxy.cfg", "ssl-default-bind-options ssl-min-ver TLSv1.2\n", ""},
		"haproxy_old":    {"/etc/haproxy/haproxy.cfg", "ssl-default-bind-options ssl-min-ver TLSv1.0 no-tls-tickets\n", old},
		"java":           {"/usr/lib/jvm/conf/security/java.security", "jdk.tls.disabledAlgorithms=SSLv3, \\\n    TLSv1, TLSv1.1, RC4\n", ""},
		"java_old":       {"/usr/lib/jvm/conf/security/java.security", "jdk.tls.disabledAlgorithms=RC4, DES\n", "Java that speaks a broken version of TLS"},
		"postgres_off":   {"/var/lib/postgresql/data/postgresql.conf", "ssl = off # for now\n", none},
		"postgres_on":    {"/etc/postgresql.conf", "ssl = on\nssl_min_protocol_version = 'TLSv1.2'\n", ""},
		"postgres_old":   {"/etc/postgresql.conf", "ssl_min_protocol_version = 'TLSv1'\n", old},
		"mysql":          {"/etc/mysql/conf.d/a.cnf", "[mysqld]\nrequire_secure_transport = ON\n", ""},
		"mysql_off":      {"/etc/my.cnf", "[mysqld]\nrequire-secure-transport=OFF\n", none},
		"mysql_skip":     {"/etc/my.cnf", "[mysqld]\nskip-ssl\n", none},
		"mongo":          {"/etc/mongod.conf", "net:\n  tls:\n    mode: requireTLS\n", ""},
		"mongo_off":      {"/etc/mongod.conf", "net:\n  tls:\n    mode: disabled\n", none},
		"hba_local":      {"/x/pg_hba.conf", "local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\nhostssl all all all scram-sha-256\n", ""},
		"hba_plain":      {"/x/pg_hba.conf", "host all all all scram-sha-256\n", none},
		"hba_reject":     {"/x/pg_hba.conf", "hostnossl all all all reject\n", ""},
		"redis_local":    {"/etc/redis/redis.conf", "bind 127.0.0.1 -::1\n", ""},
		"redis_open":     {"/etc/redis/redis.conf", "bind 0.0.0.0\n", none},
		"redis_tls":      {"/etc/redis/redis.conf", "bind 0.0.0.0\ntls-port 6379\n", ""},
		"another_format": {"/srv/notes.txt", "ssl_protocols SSLv3;\n", ""},
	})
	detecttest.Accept(t, settings.TLS(), []byte("server_name clinic.internal;\nssl_protocols SSLv3;\n"), "/etc/nginx/nginx.conf", detecttest.Secrets("clinic.internal"))
}

func TestDatabase(t *testing.T) {
	const trusts, files = "Database that lets in without a password", "Database whose files are not encrypted"
	check(t, settings.Database(), map[string]kase{
		"hba_local":      {"/x/pg_hba.conf", "local all all trust\nhost all all 127.0.0.1/32 trust\nhost all all ::1/128 trust\n", ""},
		"hba_trust":      {"/x/pg_hba.conf", "host all all 0.0.0.0/0 trust\n", trusts},
		"hba_mask":       {"/x/pg_hba.conf", "host all all 10.0.0.0 255.0.0.0 trust\n", trusts},
		"hba_scram":      {"/x/pg_hba.conf", "host all all all scram-sha-256\n", ""},
		"mysql":          {"/etc/my.cnf", "[mysqld]\nskip-grant-tables\n", trusts},
		"mysql_off":      {"/etc/my.cnf", "[mysqld]\nskip-grant-tables=0\n", ""},
		"mongo":          {"/etc/mongod.conf", "security:\n  authorization: disabled\n", trusts},
		"mongo_on":       {"/etc/mongod.conf", "security:\n  authorization: enabled\n", ""},
		"mongo_files":    {"/etc/mongod.conf", "security:\n  enableEncryption: false\n", "Database whose files are not encrypted"},
		"elastic":        {"/etc/elasticsearch/elasticsearch.yml", "xpack.security.enabled: false\n", trusts},
		"opensearch":     {"/x/opensearch.yml", "plugins.security.disabled: true\n", trusts},
		"redis":          {"/etc/redis.conf", "protected-mode no\n", trusts},
		"mysql_files":    {"/etc/mysql/my.cnf", "[mysqld]\ndefault-table-encryption=OFF\n", files},
		"mariadb_files":  {"/etc/mysql/mariadb.conf.d/50-server.cnf", "[mariadb]\ninnodb_encrypt_tables = OFF\n", files},
		"mysql_sealed":   {"/etc/mysql/my.cnf", "[mysqld]\ndefault_table_encryption=ON\nbinlog_encryption=ON\n", ""},
		"cassandra":      {"/etc/cassandra/cassandra.yaml", "authenticator: AllowAllAuthenticator\n", trusts},
		"cassandra_5":    {"/etc/cassandra/cassandra.yaml", "authenticator:\n  class_name : org.apache.cassandra.auth.AllowAllAuthenticator\n", trusts},
		"cassandra_none": {"/opt/cassandra/conf/cassandra.yaml", "cluster_name: x\n#authenticator: PasswordAuthenticator\n", trusts},
		"cassandra_asks": {"/etc/cassandra/cassandra.yaml", "authenticator: PasswordAuthenticator\nserver_encryption_options:\n  enabled: false\n", ""},
		"cassandra_open": {"/etc/cassandra/cassandra.yaml", "authenticator: PasswordAuthenticator\ntransparent_data_encryption_options:\n  enabled: false\n", files},
		"neo4j":          {"/var/lib/neo4j/conf/neo4j.conf", "dbms.security.auth_enabled=false\n", trusts},
		"neo4j_shown":    {"/var/lib/neo4j/conf/neo4j.conf", "#dbms.security.auth_enabled=false\n", ""},
		"influx":         {"/etc/influxdb/influxdb.conf", "[http]\n  auth-enabled = false\n", trusts},
		"influx_asks":    {"/etc/influxdb/influxdb.conf", "[http]\n  auth-enabled = true\n", ""},
		"redis_password": {"/etc/redis.conf", "protected-mode no\nrequirepass x\n", ""},
	})
	detecttest.Accept(t, settings.Database(), []byte("cluster.name: secretclinic\nxpack.security.enabled: false\n"), "/e/elasticsearch.yml", detecttest.Secrets("secretclinic"))
}

func TestLogging(t *testing.T) {
	const shell = "Shell that keeps no history"
	check(t, settings.Logging(), map[string]kase{
		"kept":    {"/root/.bashrc", "HISTSIZE=1000\n# HISTFILE=/dev/null\n", ""},
		"nowhere": {"/etc/profile.d/x.sh", "export HISTFILE=/dev/null; umask 022\n", shell},
		"unset":   {"/root/.profile", "unset HISTFILE\n", shell},
		"auditd":  {"/etc/audit/auditd.conf", "write_logs = no\n", "Audit daemon that writes no log"},
		"other":   {"/srv/x.sh", "unset HISTFILE\n", ""},
	})
	detecttest.Accept(t, settings.Logging(), []byte("PS1=secretprompt\nunset HISTFILE\n"), "/root/.bashrc", detecttest.Secrets("secretprompt"))
	d := settings.Logging()
	for path, want := range map[string]bool{"/var/log/nginx/access.log": true, "/var/spool/x": false} {
		if got := d.Name(detect.Entry{Path: path, Kind: detect.Link, Link: "/dev/null"}) != ""; got != want {
			t.Errorf("%s as a link to nowhere: %t, want %t", path, got, want)
		}
	}
	if d.Name(detect.Entry{Path: "/var/log/a", Kind: detect.Link, Link: "/dev/stdout"}) != "" {
		t.Error("a log to standard output is kept by the runtime")
	}
}

// FuzzSettings gives every parser any bytes, under a name that it takes.
func FuzzSettings(f *testing.F) {
	paths := []string{
		"/etc/shadow", "/etc/passwd", "/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/a.conf", "/etc/nginx/nginx.conf", "/etc/apache2/a.conf",
		"/etc/ssl/openssl.cnf", "/etc/haproxy.cfg", "/java.security", "/haproxy.cfg", "/postgresql.conf", "/my.cnf", "/mongod.conf", "/pg_hba.conf",
		"/redis.conf", "/elasticsearch.yml", "/cassandra.yaml", "/neo4j.conf", "/root/.bashrc", "/etc/audit/auditd.conf",
	}
	for i := range paths {
		f.Add(uint8(i), []byte("root::0:0:::\nPermitRootLogin yes\nssl_protocols SSLv3;\nhost all all all trust\nHISTFILE=/dev/null\n"))
		f.Add(uint8(i), []byte("= : ;\"'#\n\\\n:::\x00\xff"))
	}
	all := []detect.Detector{settings.Accounts(), settings.SSHServer(), settings.TLS(), settings.Database(), settings.Logging()}
	f.Fuzz(func(t *testing.T, which uint8, content []byte) {
		path := paths[int(which)%len(paths)]
		for _, d := range all {
			whole := detecttest.Run(d, path, content)
			for _, k := range whole.Skipped {
				if strings.Contains(k.Reason, "crashed") {
					t.Errorf("%s crashed", d.ID)
				}
			}
			for _, found := range whole.Findings {
				if found.Where.Offset < 0 || found.Where.Offset > int64(len(content)) {
					t.Errorf("%s: a finding at %d of %d bytes", d.ID, found.Where.Offset, len(content))
				}
			}
		}
	})
}

// authority is a self-signed certificate that expires then.
func authority(t *testing.T, expires time.Time) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: expires.Add(-time.Hour), NotAfter: expires}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
}

func TestCertificates(t *testing.T) {
	early, late := time.Date(2020, 1, 2, 3, 4, 5, 0, time.UTC), time.Date(2031, 1, 2, 3, 4, 5, 0, time.UTC)
	const path = "/etc/ssl/certs/ca-certificates.crt"
	both := append(authority(t, early), authority(t, late)...)
	f := detecttest.Run(settings.Certificates(), path, both, 77).Of("stale-ca-bundle")
	if f == nil || !f.From.Equal(late) || f.Count != 1 {
		t.Fatalf("found %+v, want one from the last day on", f)
	}
	for name, content := range map[string][]byte{"another_file": both, "no_certificate": []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")} {
		at := path
		if name == "another_file" {
			at = "/srv/ca.pem"
		}
		if detecttest.Run(settings.Certificates(), at, content).Of("stale-ca-bundle") != nil {
			t.Errorf("%s: something found", name)
		}
	}
	detecttest.Accept(t, settings.Certificates(), authority(t, early), path)
}
