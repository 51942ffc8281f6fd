package prefilter

import (
	"regexp"
	"strings"
)

// load is about what detectors ask for: words of secrets, and labels and
// formats of health records.
func load() []string {
	var all []string
	for w := range strings.FieldsSeq(words) {
		all = append(all, "(?i)"+regexp.QuoteMeta(w))
	}
	for w := range strings.FieldsSeq(exact) {
		all = append(all, w)
	}
	for w := range strings.FieldsSeq(labels) {
		all = append(all, "(?i)[^a-z0-9]"+w+"[^a-z0-9]")
	}
	return append(all, formats()...)
}

const words = `
adafruit adobe p8e- airtable algolia alibaba LTAI amplitude_key artifactory asana atlassian auth0 authress azure_client
bitbucket bittrex bitly_ block_fi beamer cloudflare clojars_ codacy codecov coinbase confluent contentful cohere_api
databricks dapi0 datadog defined_net delighted digicert digitalocean dop_v1_ doo_v1_ dor_v1_ discord_ discordapp
doppler dp.pt. dp.st. droneci dropbox duffel_ dynatrace dt0c01. easypost ezak ezat elevenlabs etsy_ eventbrite
facebook fastly_ figma_ figd_ finicity finnhub flickr_ flutterwave FLWSECK flyio fo1_ frameio fio-u- freshbooks
freshdesk gcp_api firebaseio gemini_api ghp_ gho_ ghu_ ghs_ ghr_ github_pat_ gitlab_ glpat- gldt- glcbt- glptt- glrt- glft-
gitter_ gocardless live_ grafana_ glc_ glsa_ eyJrIjoi groq_api gsk_ harness_ hashicorp atlasv1. heroku_ HRKU- hubspot
hugging_face hf_ api_org_ infracost ico- infura_ intercom_ ionic_ jenkins jfrog_ jumpcloud kraken kucoin kubeconfig
launchdarkly linear_ lin_api_ linkedin lob_api localytics lokalise looker_ mailchimp mailgun mandrill mapbox_
mattermost maxmind messagebird metabase microsoft_teams webhook.office.com mistral_ mongodb+srv mongodb:// mysql:// postgres://
postgresql:// redis:// amqp:// mssql:// oracle:thin netlify newrelic new_relic NRAK- NRJS- ngrok_ notion_ npm_token npm_ nuget_ nytimes
oauth_token octopus API-OKTA okta_ openai sk-proj- sk-ant- sk-admin- sk-or- opsgenie optimizely pagerduty packagist papertrail paypal_
perplexity pplx- phrase_ pinecone pinterest plaid_ planetscale pscale_tkn_ pscale_pw_ pscale_oauth_ polygon_io postman PMAK- postmark_ prefect pnu_
privateai pulumi pul- pypi-AgEI quickbooks rapidapi readme_ rdme_ recaptcha replicate_ r8_ rubygems_ salesforce sauce_
saucelabs scalingo tk-us- segment_ sendbird sendgrid SG. sendinblue xkeysib- sentry_ sntrys_ sntryu_ settlemint sm_aat_ shippo_ shopify shpat_ shpca_
shppa_ shpss_ sidekiq slack_ hooks.slack.com xoxb- xoxp- xoxa- xoxr- xoxs- xapp- xoxe. snyk_ sonar_ sourcegraph sgp_ splunk_
spotify_ square_ sq0csp- sq0atp- sq0idp- EAAA squarespace stability_ stackhawk stripe_ sk_live_ sk_test_ rk_live_ pk_live_ whsec_
sumologic supabase sbp_ telegram tencent terraform tiktok_ tines_ together_ travisci trello_ trufflehog twilio twitch_ twitter_
typeform tfp_ unkey_ vault_token hvs. hvb. s.vault vercel_ virustotal vonage webflow wepay_ wiz_io workday xero_
yandex AQVN t1. y0_ youtube zapier zendesk zoho_ zoom_jwt zuplo aws_secret aws_access secret_access_key
access_token api_key apikey api-key client_secret auth_token bearer_ private_key passwd= password= password: pwd= secret_key
session_token connectionstring accountkey= sharedaccesskey _authtoken authorization:
basic_auth ssh-rsa proxy-authorization x-api-key begin_certificate token= secret= credentials
`

const exact = `
AKIA ASIA ABIA ACCA AGPA AIDA AROA ANPA A3T AIza ya29\. -----BEGIN PuTTY-User-Key age-secret-key-1 AGE-SECRET-KEY-1
eyJhbGci ZXlK PRIVATE\x20KEY EAACEdEose0cBA GOCSPX- SK[0-9a-f][0-9a-f][0-9a-f][0-9a-f] AC[0-9a-f][0-9a-f][0-9a-f][0-9a-f]
`

const labels = `
ssn mrn dob npi dea mbi hicn phi icd loinc hin nhs medicare medicaid patient patients pt_name pat_name member_id memberid
subscriber diagnosis diag dx_code icd10 icd_10 icd9 rxnorm snomed ndc cpt hcpcs drg mrn_no med_rec chart_no
`

func formats() []string {
	all := []string{
		"[\\n\\r\\x0b\\x00]MSH[!-/:-@\\[-`{-~]", "[\\n\\r\\x0b]PID[!-/:-@\\[-`{-~]", `[\n\r]FHS[!-~]`, `[\n\r]BHS[!-~]`,
		`\d\d\d-\d\d-\d\d\d\d`, `\d\d\d \d\d \d\d\d\d`, `\(\d\d\d\) \d\d\d-\d\d\d\d`, `[^\d]\d\d\d-\d\d\d-\d\d\d\d[^\d]`,
		`(?i)"resourcetype"`, `(?i)date_of_birth`, `(?i)dateofbirth`, `(?i)birthdate`, `(?i)birth_date`, `(?i)birth date`, `(?i)date of birth`,
		`(?i)medical record`, `(?i)medicalrecord`, `(?i)medical_record`, `(?i)patient name`, `(?i)patient_name`, `(?i)patientname`,
		`(?i)patient id`, `(?i)patient_id`, `(?i)patientid`, `(?i)social security`, `(?i)social_security`, `(?i)socialsecurity`,
		`(?i)health plan`, `(?i)beneficiary`, `(?i)insurance id`, `(?i)policy number`, `(?i)account number`, `(?i)drivers_license`,
		`(?i)driver's license`, `(?i)license number`, `(?i)discharge date`, `(?i)admission date`, `(?i)admit_date`, `(?i)discharge_date`,
		`(?i)prescription`, `(?i)medication`, `(?i)allergies`, `(?i)immunization`, `(?i)encounter`, `(?i)lab result`, `(?i)hemoglobin`,
		`(?i)hypertension`, `(?i)diabetes mellitus`, `(?i)metformin`, `(?i)lisinopril`, `(?i)atorvastatin`, `(?i)blood pressure`,
		`ISA[*|~^]00[*|~^]`, `GS[*|]H[CPBSNIR][*|]`, `ST[*|~^]8[0-9][0-9][*|~^]`, `NM1[*|~^]IL[*|~^]`, `NM1[*|~^]QC[*|~^]`, `[~\n]CLM[*|]`, `HI[*|]ABK:`,
		`005010X22[0-9]A[12]`, `<ClinicalDocument`, `urn:hl7-org:v3`, `recordTarget`, `patientRole`, `2\.16\.840\.1\.113883`,
		`http://hl7\.org/fhir`, `1\.2\.840\.10008\.`, `\x00DICM\x02\x00`, `\x10\x00\x10\x00PN`, `\x10\x00\x20\x00LO`, `\x10\x00\x30\x00DA`,
		`\x08\x00\x05\x00`, `\x1cC4[12][09]`, `\x1eAM01`, `[ABCDEFG]D0B[1-3]`, `\^DPT\(`, `\^AUPNPAT`, `openEHR-EHR-`, `archetype_node_id`,
		`(?i)person_id`, `(?i)year_of_birth`, `(?i)gender_concept`, `(?i)visit_occurrence`, `(?i)condition_occurrence`, `(?i)patient_num`,
		`(?i)demographic_no`, `(?i)patient_data`, `(?i)deathdate`, `(?i)synthea`, `PGDMP`, `(?i)mysql dump`, `COPY [a-z"]`, `SQLite format 3\x00`, `PAR1`, `Obj\x01`,
		`http://www\.ncpdp\.org`, `HumanPatient`, `%PDF-`, `(?i)medicare number`, `(?i)medicare_`,
		`555-01\d\d`, `999-\d\d-\d\d\d\d`, `(?i)zip_code`, `(?i)zipcode`, `(?i)first_name`, `(?i)last_name`, `(?i)firstname`, `(?i)lastname`,
		`(?i)phone_number`, `(?i)"family"`, `(?i)"given"`, `(?i)gender`, `(?i)ethnicity`, `(?i)next of kin`, `(?i)guarantor`, `(?i)provider_id`,
		`(?i)@gmail\.com`, `(?i)@yahoo\.`, `(?i)@hotmail\.`,
	}
	return all
}
