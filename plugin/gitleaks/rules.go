package gitleaks

import "strings"

// catalogued are phigate's rules on secrets in files, in their order.
func catalogued() []string {
	return []string{
		"cloud-credentials", "connection-string", "generic-secret", "kube-credentials", "private-key", "registry-credentials", "service-token",
	}
}

// detector is the rule of phigate's that finds what a rule of gitleaks' default
// configuration (8.28) is about; empty where there is none. Names are by
// provider there, so they are told by their first word.
func detector(id string) string {
	switch id {
	case "private-key":
		return "private-key"
	case "generic-api-key":
		return "generic-secret"
	case "kubernetes-secret-yaml":
		return "kube-credentials"
	case "aws-access-token", "gcp-api-key", "azure-ad-client-secret", "gcp-service-account":
		return "cloud-credentials"
	case "nuget-config-password":
		return "registry-credentials"
	}
	provider, _, _ := strings.Cut(id, "-")
	switch provider {
	case "adafruit", "airtable", "algolia", "anthropic", "asana", "atlassian", "beamer", "bitbucket", "bittrex", "cloudflare", "codecov",
		"cohere", "coinbase", "confluent", "contentful", "databricks", "datadog", "discord", "doppler", "droneci", "dropbox", "dynatrace",
		"easypost", "etsy", "facebook", "fastly", "finicity", "finnhub", "flickr", "flutterwave", "gitter", "gitlab", "github", "gocardless",
		"grafana", "harness", "heroku", "hubspot", "huggingface", "infracost", "intercom", "kraken", "kucoin", "launchdarkly", "linear",
		"linkedin", "lob", "mailchimp", "mailgun", "mapbox", "mattermost", "maxmind", "messagebird", "netlify", "notion", "octopus", "okta",
		"openai", "perplexity", "plaid", "planetscale", "postman", "prefect", "pulumi", "rapidapi", "readme", "sendbird", "sendgrid",
		"sendinblue", "sentry", "shippo", "shopify", "slack", "snyk", "sonar", "sourcegraph", "square", "squarespace", "stripe", "sumologic",
		"telegram", "travisci", "twilio", "twitch", "twitter", "typeform", "vault", "yandex", "zendesk":
		return "service-token"
	}
	return ""
}
