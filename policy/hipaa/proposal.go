package hipaa

// Proposal is a standard that the notice of proposed rulemaking of 6 January
// 2025 (RIN 0945-AA22, 90 FR 898) would put into 45 CFR part 164. It is no law:
// as of October 2026 no final rule has followed. Numbers are of the proposed
// text, in which, for example, 164.312(b) is about encryption and not, as in
// the law, about audit controls.
type Proposal struct {
	paragraph string
	title     string
}

// String says first that it is proposed: "proposed 164.312(b), encryption and decryption (90 FR 898)".
func (p Proposal) String() string {
	return "proposed " + p.paragraph + ", " + p.title + " (90 FR 898)"
}

// The proposed standards that rules of the catalogue would support.
var (
	ProposedAccessControl  = Proposal{"164.312(a)", "access control, with network segmentation"}
	ProposedEncryption     = Proposal{"164.312(b)", "encryption and decryption"}
	ProposedConfiguration  = Proposal{"164.312(c)", "configuration management: extraneous software and network ports"}
	ProposedAuditTrail     = Proposal{"164.312(d)", "audit trail and system log controls"}
	ProposedAuthentication = Proposal{"164.312(f)", "authentication"}
	ProposedTransmission   = Proposal{"164.312(g)", "transmission security"}
	ProposedVulnerability  = Proposal{"164.312(h)", "vulnerability management"}
)
