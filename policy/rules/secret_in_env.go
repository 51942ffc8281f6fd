package rules

import (
	"fmt"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.308(a)(5)(ii)(D): "Procedures for creating, changing, and
// safeguarding passwords."
// 45 CFR 164.312(d): "Implement procedures to verify that a person or entity
// seeking access to electronic protected health information is the one claimed."
var secretInEnv = policy.Rule{
	Info: policy.Info{
		ID: "secret-in-env", Aliases: []string{"OCI-022"},
		Title:    "A password, key or token stands in the environment",
		Cites:    []hipaa.Citation{hipaa.PasswordManagement, hipaa.Authentication},
		Controls: []policy.Control{cisKubernetes("5.4.1"), cisDocker("4.10")},
		Severity: policy.High, Default: policy.Warn,
		Rationale: "Passwords must be safeguarded (164.308(a)(5)(ii)(D)), or nobody is the one claimed (164.312(d)). The environment " +
			"is shown by inspect and kubectl, inherited by every child, and written into crash reports and logs.",
		Fix: "Mount the secret as a file and give the program its path, such as DB_PASSWORD_FILE.",
	},
	Needs: policy.FactEnv,
	Check: checkSecretInEnv,
}

func checkSecretInEnv(s *policy.Subject) []policy.Finding {
	var found []policy.Finding
	for _, e := range EnvSecrets(process(s).Env) {
		found = append(found, at(fmt.Sprintf("process.env[%d]", e.Index), "%s in environment variable %s", e.Why, e.Key))
	}
	return found
}

// EnvSecret is a variable that holds what looks like a secret. It has no field
// for the value.
type EnvSecret struct {
	Index int    // in the environment
	Key   string // the variable's name, or words in its place where it could itself be a secret
	Why   string // what it looks like, a noun phrase: "password", "AWS access key"
}

// EnvSecrets are the variables of an environment ("KEY=value") that hold what
// looks like a secret: by a known form of the value wherever it stands, by a
// name that says so, or by a random-looking value. Values that only point to a
// secret (a path, *_FILE, $(OTHER), a vault's address), switches and numbers
// are none; a default such as "changeme" is a password like any other.
func EnvSecrets(env []string) []EnvSecret {
	var out []EnvSecret
	for i, entry := range env {
		key, value := splitEnv(entry)
		if why := secretWhy(key, value); why != "" {
			out = append(out, EnvSecret{Index: i, Key: keyName(key), Why: why})
		}
	}
	return out
}

func secretWhy(key, value string) string {
	if why := knownSecret(value); why != "" {
		return why
	}
	if kubernetesService(key, value) || pointsElsewhere(value) || isSwitch(value) {
		return ""
	}
	names := words(key)
	if why := secretName(names, value); why != "" {
		return why
	}
	if randomLooking(value) && !endsWith(names, publicNames) && !containsAny(names, publicWords) {
		if containsAny(names, keyWords) && entropy(value) >= 3 || strong(value) {
			return "random-looking secret"
		}
	}
	return ""
}
