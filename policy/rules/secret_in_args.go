package rules

import (
	"slices"
	"strings"

	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/hipaa"
)

// 45 CFR 164.308(a)(5)(ii)(D): "Procedures for creating, changing, and
// safeguarding passwords."
// 45 CFR 164.312(d): "Implement procedures to verify that a person or entity
// seeking access to electronic protected health information is the one claimed."
var secretInArgs = policy.Rule{
	Info: policy.Info{
		ID: "secret-in-args", Aliases: []string{"OCI-023"},
		Title:    "A password, key or token stands in the arguments",
		Cites:    []hipaa.Citation{hipaa.PasswordManagement, hipaa.Authentication},
		Severity: policy.High, Default: policy.Warn,
		Rationale: "Passwords must be safeguarded (164.308(a)(5)(ii)(D)), or nobody is the one claimed (164.312(d)). Every user of a " +
			"node can read the arguments of its processes, and inspect, kubectl and ps show them.",
		Fix: "Mount the secret as a file and give the program its path.",
	},
	Needs: policy.FactArgs,
	Check: checkSecretInArgs,
}

func checkSecretInArgs(s *policy.Subject) []policy.Finding {
	var found []policy.Finding
	seen := map[string]bool{}
	for _, one := range settings(s) {
		why, name := argumentSecret(one)
		if why == "" || seen[one.field()] {
			continue
		}
		seen[one.field()] = true
		if name == "" {
			found = append(found, at(one.field(), "%s in an argument", why))
		} else {
			found = append(found, at(one.field(), "%s in argument %s", why, name))
		}
	}
	return found
}

// argumentSecret judges one setting. An argument's random-looking value is none
// without a name that says so: arguments hold digests and IDs.
func argumentSecret(one setting) (why, name string) {
	if why := knownSecret(one.value); why != "" {
		return why, shownName(one.name)
	}
	if why := attachedPassword(one); why != "" {
		return why, ""
	}
	if one.name == "" || pointsElsewhere(one.value) || isSwitch(one.value) || strings.HasPrefix(one.value, "-") || hasBlank(one.value) {
		return "", ""
	}
	return secretName(words(one.name), one.value), shownName(one.name)
}

func shownName(name string) string {
	if name == "" {
		return ""
	}
	return keyName(name)
}

// clientsOfMySQL take the password right behind -p, without a blank.
var clientsOfMySQL = []string{"mysql", "mysqldump", "mysqladmin", "mysqlimport", "mysqlcheck", "mariadb", "mariadb-dump", "mariadb-admin"}

func attachedPassword(one setting) string {
	password, ok := strings.CutPrefix(one.value, "-p")
	if one.name != "" { // split took the dash off
		password, ok = strings.CutPrefix(one.name, "p")
	}
	if ok && slices.Contains(clientsOfMySQL, one.program) && len(password) >= 4 && !pointsElsewhere(password) && !strings.HasPrefix(password, "=") {
		return "password"
	}
	return ""
}
