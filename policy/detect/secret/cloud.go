package secret

import (
	"bytes"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/hipaa"
)

// CloudCredentials finds keys to clouds and to what runs them.
func CloudCredentials() detect.Detector {
	k := &kinds{}
	k.tokens(cloudTokens)
	k.keyed(cloudKeys)
	k.add(`"private_key_id"`, googleAccount)
	k.add(`"authorized_user"`, googleUser)
	return k.detector(policy.Info{
		ID:       "cloud-credentials",
		Aliases:  []string{"SEC-002"},
		Title:    "Credentials of a cloud",
		Cites:    []hipaa.Citation{hipaa.PasswordManagement},
		Severity: policy.High,
		Default:  policy.Warn,
		WithPHI:  new(policy.Block),
		Rationale: "Passwords, and keys that serve as such, must be safeguarded (164.308(a)(5)(ii)(D)). A cloud's key in an image opens " +
			"storage and databases to whoever pulls it, far beyond the container.",
		Fix: "Disable the key in the cloud, remove it from the image and the layers below, and give the workload an identity of its own " +
			"(IRSA, workload identity) instead of a key.",
	})
}

var cloudTokens = []token{
	{kind: "AWS access key ID", form: "AKIA<B16>", entropy: 3},
	{kind: "AWS temporary access key ID", form: "ASIA<B16>", entropy: 3},
	{kind: "AWS bearer token ID", form: "ABIA<B16>", entropy: 3},
	{kind: "AWS context credential ID", form: "ACCA<B16>", entropy: 3},
	{kind: "AWS access key ID", form: "A3T<U1><B16>", entropy: 3.3, check: varied},
	{kind: "Amazon Bedrock key", form: "ABSK<b109-269><=0-2>", entropy: 3.5},
	{kind: "Amazon Bedrock key", form: "bedrock-api-key-YmVkcm9jay5hbWF6b25hd3MuY29t<m0-4000>", entropy: 3},
	{kind: "Google API key", form: "AIza<k35>", entropy: 4},
	{kind: "Google OAuth client secret", form: "GOCSPX-<k28>", entropy: 3},
	{kind: "Google access token", form: "ya29.<k60-4000>", entropy: 4},
	{kind: "Azure client secret", form: "<u3><d1>Q~<u31-34>", anchor: `[A-Za-z0-9_~.\-]\dQ~[A-Za-z0-9_~.\-][A-Za-z0-9_~.\-][A-Za-z0-9_~.\-][A-Za-z0-9_~.\-]`, back: "u", entropy: 3},
	{kind: "Azure storage key", form: "AccountKey=<b86>==", entropy: 4},
	{kind: "Azure access key", form: "SharedAccessKey=<b42-86><=0-2>", entropy: 4},
	{kind: "Alibaba access key ID", form: "LTAI<w20>", entropy: 2.5},
	{kind: "DigitalOcean token", form: "do<[opr]1>_v1_<x64>", entropy: 3},
	{kind: "Heroku key", form: "HRKU-AA<k58>", entropy: 4},
	{kind: "Scalingo token", form: "tk-us-<k48>", entropy: 3},
	{kind: "Fly.io token", form: "fo1_<k43>", entropy: 4},
	{kind: "Fly.io token", form: "fm1<[ar]1>_<b100-4000><=0-3>", entropy: 4},
	{kind: "Fly.io token", form: "fm2_<b100-4000><=0-3>", entropy: 4},
	{kind: "Cloudflare origin key", form: "v1.0-<h24>-<h146>", entropy: 3},
	{kind: "PlanetScale token", form: "pscale_tkn_<t32-64>", entropy: 3},
	{kind: "PlanetScale token", form: "pscale_oauth_<t32-64>", entropy: 3},
	{kind: "PlanetScale password", form: "pscale_pw_<t32-64>", entropy: 3},
	{kind: "Supabase token", form: "sbp_<h40>", entropy: 3},
	{kind: "ClickHouse Cloud secret key", form: "4b1d<w38>", entropy: 3.3},
	{kind: "Databricks token", form: "dapi<h32>", entropy: 3},
	{kind: "Terraform Cloud token", form: "<w14>.atlasv1.<e60-70>", entropy: 3.5},
	{kind: "Vault service token", form: "hvs.<k90-120>", entropy: 4},
	{kind: "Vault batch token", form: "hvb.<k138-300>", entropy: 4},
	{kind: "Pulumi token", form: "pul-<h40>", entropy: 3},
	{kind: "Doppler token", form: "dp.<[a-z]2>.<w43>", entropy: 3},
	{kind: "Tailscale key", form: "tskey-<[a-z]4-9>-<w8-20>-<w16-40>", entropy: 3},
}

var cloudKeys = []keyed{
	{words: `secret_access_key secretaccesskey secret-access-key`, kind: "AWS secret access key", form: "<b40>", entropy: 4, check: varied},
	{words: "alibaba aliyun", kind: "Alibaba secret key", form: "<w30>", entropy: 3, check: varied},
	{words: "cloudflare", kind: "Cloudflare key", form: "<k40>", entropy: 3, check: varied},
	{words: "cloudflare", kind: "Cloudflare global key", form: "<x37>", entropy: 3},
	{words: "heroku", kind: "Heroku key", form: uuid, entropy: 2.5},
	{words: "netlify", kind: "Netlify token", form: "<e40-46>", entropy: 3, check: varied},
	{words: "vault", kind: "Vault service token", form: "s.<w24>", entropy: 3.5, check: hasDigit},
	{words: "yandex", kind: "Yandex access token", form: "t1.<k1-300><=0-2>.<k86><=0-2>", entropy: 3.5},
	{words: "yandex", kind: "Yandex key", form: "AQVN<k35-38>", entropy: 3.5},
	{words: "yandex", kind: "Yandex access key", form: "YC<k38>", entropy: 3.5},
}

// googleAccount judges the key file of a service account of Google's.
func googleAccount(h *detect.Hit, s *detect.Sink) {
	around := h.Text[max(0, h.At-512):]
	_, body, ok := bytes.Cut(h.Text[h.End:], []byte("PRIVATE KEY-----"))
	if !ok || !bytes.Contains(around, []byte(`"service_account"`)) {
		return
	}
	body, _, _ = bytes.Cut(body, []byte("-----"))
	if key := decode(body); len(key) >= minKey && !publishedKey(key[:min(len(key), markBytes)]) {
		s.FoundAs("Google service account key", h.Off)
		s.Fingerprint(key[:min(len(key), markBytes)])
	}
}

// googleUser judges the application default credentials of a user of Google's.
func googleUser(h *detect.Hit, s *detect.Sink) {
	const word = `"refresh_token"`
	i := bytes.Index(h.Text, []byte(word))
	if i < 0 {
		return
	}
	at, ok := assigned(h.Text, i+len(word)-1)
	if !ok {
		return
	}
	if end, ok := newForm("1//<k30-300>").match(h.Text, at); ok && !sample(h.Text[at:end]) {
		report(h, at, h.Text[at:end], "Google user credentials", s)
	}
}
