//go:generate go test -count=1 -run ^TestMarkdown$ . -update

// Package catalogue lists the detectors, and the rules under which what they
// find is reported besides their own.
package catalogue

import (
	"github.com/phigate/phigate/policy"
	"github.com/phigate/phigate/policy/detect"
	"github.com/phigate/phigate/policy/detect/filename"
	"github.com/phigate/phigate/policy/detect/format"
	"github.com/phigate/phigate/policy/detect/phi"
	"github.com/phigate/phigate/policy/detect/pkgdb"
	"github.com/phigate/phigate/policy/detect/secret"
	"github.com/phigate/phigate/policy/detect/settings"
	"github.com/phigate/phigate/policy/hipaa"
)

// All returns the detectors, in the order in which they are documented.
func All() []detect.Detector {
	return []detect.Detector{
		format.HL7v2(),
		format.FHIR(),
		format.X12(),
		format.CDA(),
		format.DICOM(),
		format.DICOMJSON(),
		format.DICOMXML(),
		format.NCPDP(),
		format.Mumps(),
		format.OpenEHR(),
		phi.Table(),
		phi.SQL(),
		phi.JSON(),
		phi.XML(),
		phi.Text(),
		phi.FileName(),
		secret.PrivateKey(),
		secret.CloudCredentials(),
		secret.RegistryCredentials(),
		secret.KubeCredentials(),
		secret.GitHistory(),
		secret.ShellHistory(),
		secret.MemoryDump(),
		secret.BackupLeftover(),
		secret.EnvSecrets(),
		filename.Setuid(),
		filename.WorldWritable(),
		settings.Accounts(),
		filename.PlaintextPrograms(),
		settings.SSHServer(),
		settings.TLS(),
		settings.Database(),
		settings.Certificates(),
		filename.Tools(),
		pkgdb.Insecure(),
		settings.Logging(),
		secret.ServiceToken(),
		secret.ConnectionString(),
		secret.GenericSecret(),
	}
}

// Infos documents all rules that files can violate: those of the detectors, and
// those of records that amount to less than PHI or are very many.
func Infos() []policy.Info {
	var infos []policy.Info
	for _, d := range All() {
		infos = append(infos, d.Info)
		if d.ManyFrom > 0 {
			infos = append(infos, d.Many)
		}
	}
	return append(infos, individuals(), pii(), limited())
}

func individuals() policy.Info {
	return policy.Info{
		ID:       detect.RuleIndividuals,
		Aliases:  []string{"PHI-013"},
		Title:    "Records of 500 or more individuals",
		Cites:    []hipaa.Citation{hipaa.NotificationHHS, hipaa.UsesDisclosures},
		Severity: policy.Critical,
		Default:  policy.Block,
		Rationale: "A breach that affects 500 or more individuals must be told to the Secretary together with the individuals (164.408(b)). " +
			"The people that the PHI of all files is about are counted, each once.",
		Fix: "Remove the records from the image and from the layers below it, and find out who has pulled the image.",
	}
}

func pii() policy.Info {
	return policy.Info{
		ID:       detect.RulePII,
		Title:    "Personal data without health context",
		Cites:    []hipaa.Citation{hipaa.MinimumNecessary},
		Severity: policy.Medium,
		Default:  policy.Warn,
		Rationale: "Records that identify people and say nothing of their health are no protected health information by themselves; " +
			"joined with a covered entity's other data they are. They seldom belong into an image (164.502(b), minimum necessary).",
		Fix: "Remove the records from the image, or except the file if it is meant to be there.",
	}
}

func limited() policy.Info {
	return policy.Info{
		ID:       detect.RuleLimited,
		Aliases:  []string{"PHI-012"},
		Title:    "Coded health records of individuals, without direct identifiers",
		Cites:    []hipaa.Citation{hipaa.LimitedDataSet},
		Severity: policy.Medium,
		Default:  policy.Audit,
		Rationale: "Rows about single individuals with diagnoses, dates or codes and without names are at most a limited data set, " +
			"which needs a data use agreement (164.514(e)) unless it was de-identified.",
		Fix: "Make sure that a data use agreement covers the data, or that they were de-identified; else remove them.",
	}
}
