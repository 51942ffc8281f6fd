package secret

import (
	"bytes"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// ConnectionString finds addresses of databases, brokers and directories with
// a password inside.
func ConnectionString() detect.Detector {
	k := &kinds{}
	for _, scheme := range strings.Fields(schemes) {
		k.add("(?i)"+scheme+"://", userInfo)
	}
	k.add(`mongodb\+srv://`, userInfo)
	k.add(`(?i)jdbc:[a-z][a-z][a-z0-9]`, jdbc)
	for _, anchor := range []string{`(?i);password=`, `(?i);pwd=`, `(?i); password=`, `(?i); pwd=`, `(?i) password=`} {
		k.add(anchor, pairs)
	}
	return k.detector(policy.Info{
		ID:       "connection-string",
		Title:    "Connection string with a password",
		Cites:    []hipaa.Citation{hipaa.PasswordManagement},
		Severity: policy.High,
		Default:  policy.Warn,
		Rationale: "Passwords must be safeguarded (164.308(a)(5)(ii)(D)). A connection string with a password in an image opens the " +
			"database or broker, with all that it holds, to whoever pulls the image and reaches it.",
		Fix: "Change the password, remove the string from the image, and give it to the container at run time from a secret store.",
	})
}

// schemes of URLs with a user and a password before the host (RFC 3986, 3.2.1):
// databases, with the drivers that SQLAlchemy appends, brokers, directories,
// file transfer and mail.
const schemes = "postgres postgresql psycopg psycopg2 asyncpg pg8000 mysql mysql2 mysqlx pymysql mysqldb mysqlconnector aiomysql mariadb " +
	"mongodb redis rediss amqp amqps mssql sqlserver pyodbc pymssql oracle cx_oracle oracledb clickhouse cockroachdb couchdb cassandra neo4j " +
	"snowflake redshift influxdb elasticsearch nats kafka mqtt mqtts stomp ldap ldaps ftp ftps sftp smb smtp smtps imap imaps"

// The bounds of a URL's parts.
const (
	longestUser   = 100
	longestSecret = 200
)

// userInfo judges `user:password@host` behind a scheme.
func userInfo(h *detect.Hit, s *detect.Sink) {
	if !begins(h.Text, h.At) {
		return // within another scheme's name
	}
	rest := h.Text[h.End:]
	user := run(rest, longestUser, isUserInfo)
	if user == len(rest) || rest[user] != ':' {
		return
	}
	password := run(rest[user+1:], longestSecret, isPassword)
	at := user + 1 + password
	if password == 0 || at == len(rest) || rest[at] != '@' {
		return
	}
	host := run(rest[at+1:], longestUser, isHost)
	secret := rest[user+1 : at]
	if telling(rest[:user], secret, rest[at+1:at+1+host]) {
		report(h, h.End+user+1, secret, "Connection string with a password", s)
	}
}

// run is how many bytes of a kind the text begins with, at most.
func run(text []byte, most int, of func(byte) bool) int { return skip(text, 0, most, of) }

func isUserInfo(b byte) bool {
	return isWord(b) || bytes.IndexByte([]byte("-.~!$&*+=%#\\{}<>[]"), b) >= 0
}

func isPassword(b byte) bool { return isUserInfo(b) || bytes.IndexByte([]byte("(),;:?^|"), b) >= 0 }

func isHost(b byte) bool { return isWord(b) || bytes.IndexByte([]byte("-.%{}$<>[]:"), b) >= 0 }

// weak are words that stand for a password in manuals and tests.
const weak = " password passwd pass pwd secret passw0rd user username userpass mypassword mypass my-password yourpassword pa55word p@ssw0rd " +
	"password1 password123 hunter2 letmein test testing tester test123 guest admin root postgres mysql redis mongo mongodb rabbitmq example foo bar baz " +
	"foobar none null nil true false undefined empty token key value string default changeme change_me changeit secret123 scott tiger abc abc123 123456 " +
	"12345 1234 123 12345678 a b c p x y z pw db sa dbpass dbpassword db_password hello world demo dev development local sample "

// isWeak says whether a password is one of the words that stand for one.
func isWeak(password []byte) bool {
	return strings.Contains(weak, " "+strings.ToLower(string(password))+" ")
}

// telling says whether a password is likely one in use: no word that stands for
// one, not the user's name again, nothing that is put in later, and no host of
// examples (RFC 2606).
func telling(user, password, host []byte) bool {
	switch {
	case isWeak(password), len(user) > 0 && bytes.EqualFold(user, password), sample(password), template(password):
		return false
	case bytes.IndexByte(user, '[') >= 0 && bytes.HasSuffix(password, []byte("]")): // "ftp://[[user][:pass]@]host"
		return false
	case bytes.ContainsAny(password, "<>") || bytes.HasPrefix(password, []byte("{")) || bytes.HasSuffix(password, []byte("}")):
		return false
	case containsFold(host, "example.") || containsFold(host, "example:") || len(host) > 0 && template(host) || bytes.EqualFold(host, []byte("host")) ||
		bytes.EqualFold(host, []byte("hostname")) || hasPrefixFold(host, "host:"):
		return false
	}
	return len(password) > 3 && !isAll(password, '*') && !isAll(password, '.')
}

func isAll(value []byte, b byte) bool { return len(bytes.Trim(value, string(rune(b)))) == 0 }

// jdbc judges a JDBC URL: password among its parameters, or Oracle's
// user/password before the host.
func jdbc(h *detect.Hit, s *detect.Sink) {
	n := run(h.Text[h.At:], 600, func(b byte) bool { return !isSpace(b) && b != '"' && b != '\'' && b != '<' && b != '`' })
	url := h.Text[h.At : h.At+n]
	if i := indexFold(url, "password="); i >= 0 {
		from := i + len("password=")
		end := from + run(url[from:], longestSecret, func(b byte) bool { return b != '&' && b != ';' && b != ',' && b != ')' && b != '}' })
		if telling(nil, url[from:end], hostOf(url)) {
			report(h, h.At+from, url[from:end], "JDBC URL with a password", s)
		}
		return
	}
	if !hasPrefixFold(url, "jdbc:oracle:thin:") {
		return
	}
	user, rest, _ := bytes.Cut(url[len("jdbc:oracle:thin:"):], []byte("/"))
	password, host, ok := bytes.Cut(rest, []byte("@"))
	if ok && len(user) > 0 && !bytes.ContainsAny(password, "/:") && telling(user, password, bytes.TrimLeft(host, "/")) {
		report(h, h.At, password, "JDBC URL with a password", s)
	}
}

// hostOf is what stands behind the two slashes of a URL.
func hostOf(url []byte) []byte {
	_, host, _ := bytes.Cut(url, []byte("//"))
	return host[:run(host, longestUser, isHost)]
}

// indexFold is where a word in lower case stands, -1 if nowhere.
func indexFold(text []byte, word string) int {
	for i := 0; i+len(word) <= len(text); i++ {
		if hasPrefixFold(text[i:], word) {
			return i
		}
	}
	return -1
}

// pairBytes is how far before a password the other pairs of a connection
// string may stand.
const pairBytes = 200

// pairs judges `Server=a;User Id=b;Password=c` (ADO.NET, ODBC) and
// `host=a user=b password=c` (libpq).
func pairs(h *detect.Hit, s *detect.Sink) {
	line := h.Text[max(0, h.At-pairBytes):h.At]
	if i := bytes.LastIndexByte(line, '\n'); i >= 0 {
		line = line[i+1:]
	}
	dsn := h.Text[h.At] == ' '
	if dsn && indexFold(line, "host=") < 0 || !dsn && !hasServer(line) {
		return
	}
	rest := h.Text[h.End:]
	n := run(rest, longestSecret, func(b byte) bool {
		return !isSpace(b) && b != ';' && b != '"' && b != '\'' && b != '<' && b != '`' && b != '\\'
	})
	if telling(nil, rest[:n], nil) {
		report(h, h.End, rest[:n], "Connection string with a password", s)
	}
}

// hasServer says whether pairs name a server.
func hasServer(line []byte) bool {
	for _, name := range []string{"server=", "data source=", "host=", "hostname=", "addr=", "address=", "endpoint=", "dsn=", "server ="} {
		if indexFold(line, name) >= 0 {
			return true
		}
	}
	return false
}
