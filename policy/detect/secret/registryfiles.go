package secret

import (
	"bytes"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// RegistryCredentials finds what logs a client in: to registries of packages
// and images, to repositories, databases and hosts.
func RegistryCredentials() detect.Detector {
	k := &kinds{}
	k.tokens(registryTokens)
	k.keyed(registryKeys)
	d := k.detector(policy.Info{
		ID:       "registry-credentials",
		Aliases:  []string{"SEC-003"},
		Title:    "Stored login of a client or registry",
		Cites:    []hipaa.Citation{hipaa.PasswordManagement},
		Severity: policy.High,
		Default:  policy.Warn,
		Rationale: "Passwords, and tokens that serve as such, must be safeguarded (164.308(a)(5)(ii)(D)). The file with which a client logs in " +
			"lets whoever pulls the image log in, too: into databases, or to publish packages and images in its owner's name.",
		Fix: "Change the password or revoke the token, remove the file from the image, and use build secrets (RUN --mount=type=secret) " +
			"for what is needed while building only.",
	})
	d.Eager, d.Open = true, openClientFile
	return d
}

func openClientFile(m detect.Meta, s *detect.Sink) detect.Reader {
	if m.Hit != nil {
		return nil
	}
	if parse := clientParser(m.Path); parse != nil {
		return detect.Whole(s, parse)
	}
	return nil
}

// clientParser is what reads the file, nil for one of another name.
func clientParser(path string) parser {
	switch strings.ToLower(baseName(path)) {
	case ".netrc", "_netrc":
		return netrc
	case ".pgpass", "pgpass.conf":
		return pgpass
	case ".my.cnf", "my.cnf", "debian.cnf", "client.cnf":
		return settings("MySQL client password", "password")
	case ".npmrc", "npmrc":
		return settings("npm login", "_authtoken", "_auth", "_password")
	case ".yarnrc.yml":
		return settings("Yarn login", "npmauthtoken", "npmauthident")
	case ".pypirc":
		return settings("PyPI login", "password")
	case ".git-credentials":
		return addresses("Git credentials")
	case "pip.conf", "pip.ini", ".condarc", "uv.toml":
		return addresses("Address of a package index with a password")
	case ".dockercfg", ".dockerconfigjson":
		return dockerAuth
	case "nuget.config":
		return nuget
	case ".vault-token":
		return vaultToken
	case "config.json", "auth.json":
		if parentIs(path, ".docker", "containers", "docker", ".composer", "composer") {
			return dockerAuth
		}
	case "config":
		if parentIs(path, ".git") {
			return addresses("Git remote with a password")
		}
	case "credentials", "credentials.toml":
		if parentIs(path, ".gem", ".cargo") {
			return settings("Package registry token", "token", "api_key")
		}
	}
	return nil
}

// parentIs says whether the file stands in a folder of one of the names.
func parentIs(path string, names ...string) bool {
	folder := strings.TrimRight(strings.TrimSuffix(path, baseName(path)), "/")
	for _, name := range names {
		if baseName(folder) == name {
			return true
		}
	}
	return false
}

// netrc reads `machine a login b password c` (GNU Inetutils, "The .netrc file").
func netrc(content []byte, s *detect.Sink) {
	expected := false
	numbered(content, func(off int, line []byte) {
		for _, word := range bytes.Fields(line) {
			if word[0] == '#' {
				return
			}
			if expected {
				secretLine(off, unquoted(word), "netrc password", s)
			}
			expected = string(word) == "password"
		}
	})
}

// pgpass reads host:port:database:user:password (PostgreSQL manual, 34.16).
func pgpass(content []byte, s *detect.Sink) {
	numbered(content, func(off int, line []byte) {
		const fields = 5
		parts := bytes.SplitN(bytes.ReplaceAll(line, []byte(`\:`), []byte("__")), []byte(":"), fields)
		if line[0] != '#' && len(parts) == fields && len(parts[1]) > 0 && (parts[1][0] == '*' || isDigit(parts[1][0])) {
			secretLine(off, parts[fields-1], "pgpass password", s)
		}
	})
}

// addresses makes a parser that looks for user:password@ in addresses.
func addresses(kind string) parser {
	return func(content []byte, s *detect.Sink) {
		numbered(content, func(off int, line []byte) {
			_, rest, ok := bytes.Cut(line, []byte("://"))
			if !ok || line[0] == '#' {
				return
			}
			info, _, ok := bytes.Cut(rest[:run(rest, longestSecret, func(b byte) bool { return !isSpace(b) && b != '/' && b != '"' })], []byte("@"))
			user, password, both := bytes.Cut(info, []byte(":"))
			if !ok || !both || isWeak(password) && bytes.Equal(user, password) {
				return
			}
			secretLine(off, password, kind, s)
		})
	}
}

// dockerAuth reads the logins of Docker's and Podman's clients.
func dockerAuth(content []byte, s *detect.Sink) {
	for _, name := range []string{`"auth"`, `"identitytoken"`, `"registrytoken"`, `"password"`} {
		for from := 0; ; {
			i := bytes.Index(content[from:], []byte(name))
			if i < 0 {
				break
			}
			from += i + len(name)
			at, ok := assigned(content, from-1)
			if !ok {
				continue
			}
			value := content[at : at+run(content[at:], 4096, func(b byte) bool { return b != '"' })]
			if name != `"auth"` || bytes.IndexByte(unpadded(value), ':') > 0 {
				secretLine(from, value, "Container registry login", s)
			}
		}
	}
}

// nuget reads <add key="ClearTextPassword" value="a" /> (NuGet's configuration
// reference); a password that is encrypted can be read on one machine only.
func nuget(content []byte, s *detect.Sink) {
	numbered(content, func(off int, line []byte) {
		i := indexFold(line, `password"`)
		if i < 0 || indexFold(line[:i], "<add key=") < 0 {
			return
		}
		_, rest, ok := bytes.Cut(line[i:], []byte(`value="`))
		value, _, closed := bytes.Cut(rest, []byte(`"`))
		if ok && closed && len(value) >= 8 && entropy(value) >= 1 {
			secretLine(off, value, "NuGet password", s)
		}
	})
}

func vaultToken(content []byte, s *detect.Sink) {
	if value := bytes.TrimSpace(content); len(value) >= 20 && bytes.IndexByte(value, '\n') < 0 {
		secretLine(0, value, "Vault token", s)
	}
}
