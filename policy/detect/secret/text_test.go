package secret_test

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestConnectionString(t *testing.T) {
	const rule, message, jdbc = "connection-string", "Connection string with a password", "JDBC URL with a password"
	pass := noise[:10]
	check(t, map[string]kase{
		"postgres":    {"/a", "postgres://app:" + pass + "@db.internal:5432/a", rule, message},
		"driver":      {"/a", "postgresql+psycopg2://app:" + pass + "@db.internal/a", rule, message},
		"mongo_srv":   {"/a", `uri: "mongodb+srv://app:` + pass + `@c.internal/?retryWrites=true"`, rule, message},
		"redis":       {"/a", "redis://:" + pass + "@cache.internal:6379/0", rule, message},
		"amqp":        {"/a", "AMQP://app:p%40" + pass + "@mq.internal/", rule, message},
		"jdbc":        {"/a", `url=jdbc:mysql://db.internal/a?user=b&password=` + pass + `&useSSL=false`, rule, jdbc},
		"jdbc_server": {"/a", `"jdbc:sqlserver://db.internal;user=b;password=` + pass + `;"`, rule, jdbc},
		"jdbc_oracle": {"/a", "jdbc:oracle:thin:app/" + pass + "@//db.internal:1521/a", rule, jdbc},
		"ado":         {"/a", `"Server=db.internal;Database=a;User Id=b;Password=` + pass + `;"`, rule, message},
		"odbc":        {"/a", "Driver={X};Server=db.internal;Uid=b;Pwd=" + pass + ";", rule, message},
		"libpq":       {"/a", "host=db.internal user=b password=" + pass + " sslmode=require", rule, message},
		"ftp":         {"/a", "sftp://b:" + pass + "@files.internal/", rule, message},

		"no_password":     {"/a", "postgres://app@db.internal/a redis://cache.internal:6379/0", "", ""},
		"word":            {"/a", "mysql://user:password@db.internal/a", "", ""},
		"same":            {"/a", "postgres://postgres:postgres@localhost/a", "", ""},
		"variable":        {"/a", "postgres://app:${DB_PASSWORD}@db.internal/a", "", ""},
		"format":          {"/a", `fmt.Sprintf("postgres://%s:%s@%s/a", a, b, c)`, "", ""},
		"angles":          {"/a", "mongodb://app:<password>@db.internal", "", ""},
		"example_host":    {"/a", "ftp://b:" + pass + "@ftp.example.com/", "", ""},
		"jdbc_variable":   {"/a", "jdbc:mysql://db.internal/a?password=${pass}", "", ""},
		"prose":           {"/a", "use --host=a --password= to log in; password=", "", ""},
		"no_server":       {"/a", "color=red;password=" + strings.Repeat("ab", 5) + ";", "", ""},
		"syntax":          {"/a", "the form is ftp://[[user][:pass]@]host[:port]/, or sftp://[user[:pass]@]host", "", ""},
		"within_a_scheme": {"/a", "xsmb://b:" + pass + "@files.internal/", "", ""},
	})
}

func TestGenericSecret(t *testing.T) {
	const rule, message, login = "generic-secret", "Random value that is called a secret", "Login in a curl command"
	value, uuid := noise[:30], hexes[:8]+"-"+hexes[8:12]+"-4"+hexes[12:15]+"-8"+hexes[15:18]+"-"+hexes[18:30]
	check(t, map[string]kase{
		"assignment":     {"/a.py", "db_password = '" + value + "'\n", rule, message},
		"json":           {"/a.json", `{"apiKey":"` + value + `"}`, rule, message},
		"yaml":           {"/a.yaml", "client-secret: " + value + "\n", rule, message},
		"xml":            {"/a.xml", "<token>" + value + "</token>", rule, message},
		"xml_lines":      {"/a.xml", "<authToken>\n  " + value + "\n</authToken>", rule, message},
		"go":             {"/a.go", `var aToken string = "` + value + `"`, rule, message},
		"argument":       {"/a.py", `get("api_token", "` + value + `")`, rule, message},
		"hash_rocket":    {"/a.rb", `'secret' => '` + value + `'`, rule, message},
		"hexadecimal":    {"/a.conf", "secret_key=" + hexes[:40] + "\n", rule, message},
		"terraform":      {"/a.tf", `password = "thisIsCat11"`, rule, "Password in a Terraform file"},
		"curl_user":      {"/a.sh", "curl -u app:" + noise[:12] + " https://a.internal", rule, login},
		"curl_next_line": {"/a.sh", "curl -X POST \\\n  --user 'app:" + noise[:12] + "' \\\n  https://a.internal", rule, login},
		"curl_bearer":    {"/a.sh", `curl -H "Authorization: Bearer ` + value + `" https://a.internal`, rule, login},
		"curl_basic":     {"/a.sh", `curl --header 'Authorization: Basic ` + b64("app:"+noise[:9]) + `' https://a.internal`, rule, login},
		"curl_key":       {"/a.sh", `curl -H "X-Api-Key: ` + value + `" https://a.internal`, rule, login},

		"identifiers": {"/a", "password: Ab3." + noise[:12] + "_Cd4_" + noise[12:20], rule, message},
		"brackets":    {"/a", "password: q7Z..pW9x.K4tR8" + noise[:9], rule, message},

		"public":        {"/a", "public_key = \"" + value + "\"", "", ""},
		"request":       {"/a.json", `{"clientRequestToken": "` + uuid + `", "ChangeToken": "` + uuid + `"}`, "", ""},
		"amazon_name":   {"/a.json", `"SecretId": "arn:aws:secretsmanager:us-west-2:123456789012:secret:` + noise[:20] + `"`, "", ""},
		"weak":          {"/a.tf", "password = \"password\"", "", ""},
		"ssh_public":    {"/a.sh", "add --key='AAAAC3NzaC1lZDI1NTE5AAAAI" + value + "'", "", ""},
		"shortened":     {"/a", "auth-token = " + value[:20] + "...", "", ""},
		"next_page":     {"/a", "Next page token: " + value, "", ""},
		"encrypted":     {"/a.json", `{"encrypted_key":"` + value + `"}`, "", ""},
		"kind":          {"/a.py", "private_key: ed25519.Ed25519PrivateKey, a", "", ""},
		"functions":     {"/a", "copy_secret_key, gnutls_pkcs11_copy_x509_privkey2, a", "", ""},
		"converted":     {"/a.py", "creds = Oauth2WithCredentials.from_OAuth2Credentials(a)", "", ""},
		"identifier":    {"/a", "token = lexer.nextTokenOfKind", "", ""},
		"type":          {"/a.py", "credentials: oauth2client.client.OAuth2Credentials, a", "", ""},
		"call":          {"/a", "password = decrypt(a1b2c3d4e5f6)", "", ""},
		"alphabet":      {"/a", `key = "abcdefghijklmnopqrstuvwxyz0123456789"`, "", ""},
		"placeholder":   {"/a", "password: your_password_1a2b3c4d", "", ""},
		"variable":      {"/a.tf", `password = "${var.db_password_1}"`, "", ""},
		"short":         {"/a", "password: q7Zp2mW", "", ""},
		"words":         {"/a", "secret = correct-horse-battery-staple", "", ""},
		"curl_variable": {"/a.sh", `curl -u "$USER:$PASS" -H "Authorization: Bearer $TOKEN" https://a.internal`, "", ""},
		"curl_words":    {"/a.sh", "curl -u user:password https://a.internal", "", ""},
		"curl_other":    {"/a.sh", "curl https://a.internal\nother -u app:" + noise[:12] + "\n", "", ""},
		"curl_json":     {"/a.sh", `curl -H "Content-Type: application/json" https://a.internal`, "", ""},
	})
}

func TestServiceToken(t *testing.T) {
	const rule, web = "service-token", "JSON web token"
	raw := base64.RawURLEncoding.EncodeToString
	header, claims := raw([]byte(`{"alg":"HS256"}`)), raw([]byte(`{"sub":"b","exp":1}`))
	github, square := "gh"+"p_"+noise[:36], "EA"+"AA"+noise[:60]
	check(t, map[string]kase{
		"github":        {"/a", "token " + github, rule, "GitHub token"},
		"escaped":       {"/a", `{"env": "A=b\n` + github + `\nC=d"}`, rule, "GitHub token"},
		"url":           {"/a", "https://a:" + github + "@github.com/b", rule, "GitHub token"},
		"jwt":           {"/a", "Authorization: Bearer " + header + "." + claims + "." + noise[:43], rule, web},
		"long_jwt":      {"/a", header + "." + raw([]byte(`{"sub":"`+strings.Repeat("b", 3000)+`"}`)) + "." + noise[:43], rule, web},
		"telegram":      {"/a", "https://api.telegram.org/bot123456789:AA" + noise[:33] + "/sendMessage", rule, "Telegram bot token"},
		"label":         {"/a", "TWITTER_API_KEY=" + noise[:25] + "\n", rule, "Twitter API key"},
		"camel":         {"/a", `myTwitterKey = "` + noise[:25] + `"`, rule, "Twitter API key"},
		"documentation": {"/usr/share/doc/a", "token " + github, rule, "GitHub token"},

		"lines":    {"/a", square + "\n" + square[:4] + noise[2:62] + "\n", rule, "Square token"},
		"one_line": {"/a", "tokens\n" + square + "\n", rule, "Square token"},

		"armoured":     {"/a", strings.Repeat(noise[:60]+"abcd\r\n", 3) + square + "\r\n", "", ""},
		"placeholder":  {"/a", "gh" + "p_" + strings.Repeat("x", 36), "", ""},
		"no_header":    {"/a", "eyJ" + noise[:30] + ".eyJ" + noise[20:50] + "." + noise[:20], "", ""},
		"jwt_io":       {"/a", header + "." + raw([]byte(`{"sub":"1234567890","name":"John Doe"}`)) + "." + noise[:43], "", ""},
		"longer":       {"/a", "gh" + "p_" + noise[:50], "", ""},
		"other_word":   {"/a", `bitwitterings = "` + strings.Repeat("abcde", 5) + `"`, "", ""},
		"no_operator":  {"/a", "twitter " + noise[:25], "", ""},
		"label_sample": {"/a", "TWITTER_API_KEY=" + "your_key_" + noise[:16] + "\n", "", ""},
	})
}

func TestCloudCredentials(t *testing.T) {
	const rule = "cloud-credentials"
	key := "-----BEGIN PRIVATE " + "KEY-----\\n" + b64(noise+noise) + "\\n-----END PRIVATE " + "KEY-----\\n"
	check(t, map[string]kase{
		"aws":         {"/root/.aws/credentials", "[default]\naws_access_key_id = AKIA" + "Q7LMZ2XWVT4KPR6N\n", rule, "AWS access key ID"},
		"aws_secret":  {"/root/.aws/credentials", "aws_secret_access_key = " + noise[:40] + "\n", rule, "AWS secret access key"},
		"google":      {"/a.json", `{"type": "service_account", "private_key_id": "` + hexes[:40] + `", "private_key": "` + key + `"}`, rule, "Google service account key"},
		"google_user": {"/a.json", `{"refresh_token": "1//` + noise[:50] + `", "type": "authorized_user"}`, rule, "Google user credentials"},
		"azure":       {"/a", "DefaultEndpointsProtocol=https;AccountName=a;AccountKey=" + noise + noise[:22] + "==;", rule, "Azure storage key"},

		"aws_sample":     {"/a", "AKIA" + "IOSFODNN7EXAMPLE", "", ""},
		"aws_no_base32":  {"/a", "AKIA" + "0189018901890189", "", ""},
		"google_request": {"/a.json", `{"private_key_id": "a", "type": "other"}`, "", ""},
	})
}
