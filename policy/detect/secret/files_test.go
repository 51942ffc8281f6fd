package secret_test

import (
	"encoding/base64"
	"strings"
	"testing"
)

func b64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

func TestRegistryCredentials(t *testing.T) {
	const rule = "registry-credentials"
	pass := noise[:12]
	check(t, map[string]kase{
		"netrc":           {"/root/.netrc", "machine a.internal\n  login b\n  password " + pass + "\n", rule, "netrc password"},
		"netrc_archive":   {"/a.tar!.netrc", "machine a login b password " + pass, rule, "netrc password"},
		"pgpass":          {"/root/.pgpass", "# c\ndb.internal:5432:*:app:" + pass + "\n", rule, "pgpass password"},
		"my_cnf":          {"/root/.my.cnf", "[client]\nuser=a\npassword = \"" + pass + "\"\n", rule, "MySQL client password"},
		"npmrc":           {"/root/.npmrc", "//registry.internal/:_authToken=" + pass + "\n", rule, "npm login"},
		"pypirc":          {"/root/.pypirc", "[pypi]\nusername: a\npassword: " + pass + "\n", rule, "PyPI login"},
		"docker":          {"/root/.docker/config.json", `{"auths": {"r.internal": {"auth": "` + b64("a:"+pass) + `"}}}`, rule, "Container registry login"},
		"podman":          {"/run/containers/auth.json", `{"auths":{"r.internal":{"auth":"` + b64("a:"+pass) + `"}}}`, rule, "Container registry login"},
		"git":             {"/root/.git-credentials", "https://a:" + pass + "@git.internal\n", rule, "Git credentials"},
		"git_remote":      {"/src/.git/config", "[remote \"origin\"]\n\turl = https://a:" + pass + "@git.internal/b\n", rule, "Git remote with a password"},
		"pip":             {"/etc/pip.conf", "[global]\nindex-url = https://a:" + pass + "@pypi.internal/simple\n", rule, "Address of a package index with a password"},
		"nuget":           {"/a/NuGet.Config", "<add key=\"ClearTextPassword\" value=\"" + pass + "\" />\n", rule, "NuGet password"},
		"vault":           {"/root/.vault-token", "hvs" + noise[:24] + "\n", rule, "Vault token"},
		"cargo":           {"/root/.cargo/credentials.toml", "[registry]\ntoken = \"" + noise[:32] + "\"\n", rule, "Package registry token"},
		"byte_mark":       {"/root/.my.cnf", "\uFEFFpassword=" + pass, rule, "MySQL client password"},
		"npm_variable":    {"/root/.npmrc", "//registry.internal/:_authToken=${NPM_TOKEN}\n", "", ""},
		"my_cnf_comment":  {"/etc/mysql/my.cnf", "#password = abc" + "\n[client]\n", "", ""},
		"docker_helper":   {"/root/.docker/config.json", `{"auths": {"r.internal": {}}, "credsStore": "pass"}`, "", ""},
		"other_config":    {"/app/config.json", `{"auth": "` + b64("a:b") + `"}`, "", ""},
		"git_plain":       {"/src/.git/config", "[remote \"origin\"]\n\turl = https://git.internal/b\n", "", ""},
		"nuget_encrypted": {"/a/nuget.config", "<add key=\"Username\" value=\"" + pass + "\" />\n", "", ""},
	})
}

func TestKubeCredentials(t *testing.T) {
	const rule = "kube-credentials"
	header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","kid":"a"}`))
	claims := base64.RawURLEncoding.EncodeToString([]byte(`{"iss":"kubernetes/serviceaccount","sub":"system:serviceaccount:a:b"}`))
	key := b64("-----BEGIN EC PRIVATE " + "KEY-----\n" + strings.Repeat("a", 100))
	check(t, map[string]kase{
		"account_token":   {"/run/secrets/token", header + "." + claims + "." + noise[:40], rule, "Kubernetes service account token"},
		"client_key":      {"/root/.kube/config", "users:\n- name: a\n  user:\n    client-key-data: " + key + "\n", rule, "Client key of a kubeconfig"},
		"token":           {"/root/.kube/config", "users:\n- name: a\n  user:\n    token: " + noise[:32] + "\n", rule, "Token of a kubeconfig"},
		"token_json":      {"/root/.kube/config", `{"users":[{"name":"a","user":{"token":"` + noise[:32] + `"}}]}`, rule, "Token of a kubeconfig"},
		"secret":          {"/a.yaml", "apiVersion: v1\nkind: Secret\nmetadata:\n  name: a\ndata:\n  b: " + b64(noise[:12]) + "\n", rule, "Kubernetes Secret"},
		"secret_before":   {"/a.yml", "apiVersion: v1\ndata:\n  # c\n  b: " + b64(noise[:12]) + "\nkind: 'Secret'\n", rule, "Kubernetes Secret"},
		"secret_block":    {"/a.yml", "kind: \"Secret\"\ndata:\n  b: |\n    " + b64(noise[:12]) + "\n", rule, "Kubernetes Secret"},
		"called_a_token":  {"/root/.kube/config", "users:\n- name: a\n  user:\n    token: APP_TOKEN\n- name: b\n  user:\n    token: my-token-a\n", "", ""},
		"sample_secret":   {"/a.yaml", "kind: Secret\ndata:\n  data-1: " + b64("value-1\r\n") + "\n", "", ""},
		"certificate":     {"/root/.kube/config", "users:\n- name: a\n  user:\n    client-key-data: REDACTED\n", "", ""},
		"token_elsewhere": {"/a.yaml", "steps:\n  with:\n    token: " + strings.Repeat("abcde", 5) + "\n", "", ""},
		"other_kind":      {"/a.yaml", "kind: SecretStore\ndata:\n  b: " + b64(noise[:12]) + "\n", "", ""},
		"other_document":  {"/a.yaml", "kind: Secret\n---\nkind: ConfigMap\ndata:\n  b: " + b64(noise[:12]) + "\n", "", ""},
		"template":        {"/a.yaml", "kind: Secret\ndata:\n  b: {{ .Values.b }}\n", "", ""},
		"not_yaml":        {"/a.md", "kind: Secret\ndata:\n  b: " + b64(noise[:12]) + "\n", "", ""},
	})
}

func TestEnvSecrets(t *testing.T) {
	const rule, message = "env-secrets", "Environment file with secrets"
	check(t, map[string]kase{
		"password":    {"/app/.env", "A=b\nexport DB_PASSWORD='" + noise[:8] + "'\n", rule, message},
		"comment":     {"/app/.env.production", "API_KEY=" + noise[:8] + " # a\n", rule, message},
		"other_name":  {"/app/web.env", "SMTP_PASS=" + noise[:8] + "\r\n", rule, message},
		"placeholder": {"/app/.env", "DB_PASSWORD=changeme\nTOKEN=${TOKEN}\nAPI_KEY=\n", "", ""},
		"example":     {"/app/.env.example", "DB_PASSWORD=" + noise[:8] + "\n", "", ""},
		"no_secret":   {"/app/.env", "HOST=" + noise[:8] + "\nTOKEN_URL=a.internal\nPUBLIC_KEY=abcd\n", "", ""},
		"no_env":      {"/app/environment", "HOST_PASSWORD " + noise[:8] + "\n", "", ""},
	})
}

func TestLeftovers(t *testing.T) {
	core := "\x7fELF\x02\x01\x01" + strings.Repeat("\x00", 9) + "\x04\x00>\x00"
	check(t, map[string]kase{
		"git_log":       {"/src/.git/logs/HEAD", hexes[:40] + " " + hexes[5:45] + " A <a@b.internal> 1 +0000\tclone\n", "git-history", "Log of a git repository"},
		"git_pack":      {"/src/.git/objects/pack/pack-1.pack", "PACK\x00\x00\x00\x02", "git-history", "Pack of a git repository"},
		"history":       {"/root/.psql_history", "select 1;\n", "shell-history", "History of a shell or database client"},
		"core":          {"/core.1", core, "memory-dump", "Core dump"},
		"core_big":      {"/core.1", strings.Replace(strings.Replace(core, "\x02\x01\x01", "\x02\x02\x01", 1), "\x04\x00>", "\x00\x04>", 1), "memory-dump", "Core dump"},
		"heap":          {"/a.hprof", "JAVA PROFILE 1.0.2\x00", "memory-dump", "Java heap dump"},
		"minidump":      {"/a.dmp", "MDMP\x93\xa7\x00\x00", "memory-dump", "Windows minidump"},
		"postgres_dump": {"/srv/a", "PGDMP\x01\x0e", "backup-leftover", "Dump of a PostgreSQL database"},
		"vim":           {"/srv/.a.swp", "b0VIM 9.0", "backup-leftover", "Swap file of an editor"},
		"innodb":        {"/var/lib/mysql/a/b.ibd", "\x01\x02", "backup-leftover", "File of a MySQL database"},
		"backup":        {"/srv/a.sql.bak", "a", "backup-leftover", "Backup copy of a file"},

		"git_head":      {"/src/.git/HEAD", "ref: refs/heads/main\n", "", ""},
		"git_empty_log": {"/src/.git/logs/HEAD", "", "", ""},
		"empty_history": {"/root/.bash_history", "\n", "", ""},
		"libedit":       {"/root/.mysql_history", "_HiStOrY_V2_\n", "", ""},
		"program":       {"/bin/a", strings.Replace(core, "\x04\x00>", "\x03\x00>", 1), "", ""},
		"empty_backup":  {"/srv/a.bak", "", "", ""},
		"packaged":      {"/usr/share/a/b.orig", "a", "", ""},
	})
}
