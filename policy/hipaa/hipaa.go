// Package hipaa holds the paragraphs of 45 CFR part 164 that rules may cite.
// A [Citation] can only be taken from here, so a rule cannot cite a paragraph
// that does not exist. A rule supports a safeguard; it never makes anyone
// compliant.
//
// Paragraphs, kinds and titles follow the text of 45 CFR part 164, subparts C, D
// and E, in the copies that [Sources] names. Required and addressable are properties
// of the implementation specifications of subpart C alone (164.306(d)(1)). Of
// 164.308(b)(1) the text no longer says that it is a standard; appendix A to
// subpart C lists it as one.
package hipaa

import "strings"

// Kind says what the paragraph is in the rule's own terms.
type Kind uint8

const (
	Standard    Kind = iota // a standard
	Required                // a required implementation specification
	Addressable             // an addressable implementation specification, 164.306(d)(3)
	Provision               // a general requirement, a definition, or a specification of subpart D
)

func (k Kind) String() string {
	return [...]string{"standard", "required", "addressable", "provision"}[k]
}

// Citation is one paragraph of 45 CFR part 164.
type Citation struct {
	paragraph string
	kind      Kind
	title     string
}

// String is the citation as it is printed: "45 CFR 164.312(a)(1)".
func (c Citation) String() string { return "45 CFR " + c.paragraph }

// Paragraph is the bare number: "164.312(a)(1)".
func (c Citation) Paragraph() string { return c.paragraph }

// Kind says whether the paragraph is a standard, required or addressable.
func (c Citation) Kind() Kind { return c.kind }

// Title is the paragraph's subject in a few words.
func (c Citation) Title() string { return c.title }

// The paragraphs that the catalogue cites.
var (
	GeneralRequirements  = Citation{"164.306(a)(1)", Provision, "Confidentiality, integrity and availability"}
	RiskAnalysis         = Citation{"164.308(a)(1)(ii)(A)", Required, "Risk analysis"}
	RiskManagement       = Citation{"164.308(a)(1)(ii)(B)", Required, "Risk management"}
	InformationAccess    = Citation{"164.308(a)(4)(i)", Standard, "Information access management"}
	AccessAuthorization  = Citation{"164.308(a)(4)(ii)(B)", Addressable, "Access authorization"}
	AccessEstablishment  = Citation{"164.308(a)(4)(ii)(C)", Addressable, "Access establishment and modification"}
	MaliciousSoftware    = Citation{"164.308(a)(5)(ii)(B)", Addressable, "Protection from malicious software"}
	LogInMonitoring      = Citation{"164.308(a)(5)(ii)(C)", Addressable, "Log-in monitoring"}
	PasswordManagement   = Citation{"164.308(a)(5)(ii)(D)", Addressable, "Password management"}
	DataBackup           = Citation{"164.308(a)(7)(ii)(A)", Required, "Data backup plan"}
	BusinessAssociates   = Citation{"164.308(b)(1)", Standard, "Business associate contracts and other arrangements"}
	DeviceMediaControls  = Citation{"164.310(d)(1)", Standard, "Device and media controls"}
	AccessControl        = Citation{"164.312(a)(1)", Standard, "Access control"}
	UniqueUser           = Citation{"164.312(a)(2)(i)", Required, "Unique user identification"}
	AutomaticLogoff      = Citation{"164.312(a)(2)(iii)", Addressable, "Automatic logoff"}
	EncryptionAtRest     = Citation{"164.312(a)(2)(iv)", Addressable, "Encryption and decryption"}
	AuditControls        = Citation{"164.312(b)", Standard, "Audit controls"}
	Integrity            = Citation{"164.312(c)(1)", Standard, "Integrity"}
	Authentication       = Citation{"164.312(d)", Standard, "Person or entity authentication"}
	TransmissionSecurity = Citation{"164.312(e)(1)", Standard, "Transmission security"}
	EncryptionInTransit  = Citation{"164.312(e)(2)(ii)", Addressable, "Encryption in transmission"}
	AssociateContracts   = Citation{"164.314(a)(1)", Standard, "Business associate contracts or other arrangements"}
	UnsecuredPHI         = Citation{"164.402", Provision, "Definitions: breach, unsecured protected health information"}
	NotificationHHS      = Citation{"164.408(b)", Provision, "Notification to the Secretary, 500 or more individuals"}
	UsesDisclosures      = Citation{"164.502(a)", Standard, "Uses and disclosures of protected health information"}
	MinimumNecessary     = Citation{"164.502(b)", Standard, "Minimum necessary"}
	LimitedDataSet       = Citation{"164.514(e)", Standard, "Limited data set"}
)

// All lists every citation, in the order of the rule.
func All() []Citation {
	return []Citation{
		GeneralRequirements, RiskAnalysis, RiskManagement, InformationAccess, AccessAuthorization, AccessEstablishment,
		MaliciousSoftware, LogInMonitoring, PasswordManagement, DataBackup, BusinessAssociates, DeviceMediaControls,
		AccessControl, UniqueUser, AutomaticLogoff, EncryptionAtRest, AuditControls, Integrity, Authentication,
		TransmissionSecurity, EncryptionInTransit, AssociateContracts, UnsecuredPHI, NotificationHHS, UsesDisclosures, MinimumNecessary,
		LimitedDataSet,
	}
}

// Parse finds the citation that an operator wrote, with or without "45 CFR".
func Parse(text string) (Citation, bool) {
	want := strings.TrimSpace(strings.TrimPrefix(strings.TrimSpace(text), "45 CFR"))
	for _, c := range All() {
		if c.paragraph == want {
			return c, true
		}
	}
	return Citation{}, false
}
