package hipaa

// SecurityRule lists the standards and implementation specifications of 45 CFR
// 164.308 to 164.316, in their order and with the kinds of appendix A to subpart
// C; paragraphs that are about contracts' wording and group health plans are
// listed as their standard alone.
func SecurityRule() []Citation {
	return []Citation{
		{"164.308(a)(1)(i)", Standard, "Security management process"}, RiskAnalysis, RiskManagement,
		{"164.308(a)(1)(ii)(C)", Required, "Sanction policy"}, {"164.308(a)(1)(ii)(D)", Required, "Information system activity review"},
		{"164.308(a)(2)", Standard, "Assigned security responsibility"},
		{"164.308(a)(3)(i)", Standard, "Workforce security"}, {"164.308(a)(3)(ii)(A)", Addressable, "Authorization and/or supervision"},
		{"164.308(a)(3)(ii)(B)", Addressable, "Workforce clearance procedure"}, {"164.308(a)(3)(ii)(C)", Addressable, "Termination procedures"},
		InformationAccess, {"164.308(a)(4)(ii)(A)", Required, "Isolating health care clearinghouse functions"},
		AccessAuthorization, AccessEstablishment,
		{"164.308(a)(5)(i)", Standard, "Security awareness and training"}, {"164.308(a)(5)(ii)(A)", Addressable, "Security reminders"},
		MaliciousSoftware, LogInMonitoring, PasswordManagement,
		{"164.308(a)(6)(i)", Standard, "Security incident procedures"}, {"164.308(a)(6)(ii)", Required, "Response and reporting"},
		{"164.308(a)(7)(i)", Standard, "Contingency plan"}, DataBackup, {"164.308(a)(7)(ii)(B)", Required, "Disaster recovery plan"},
		{"164.308(a)(7)(ii)(C)", Required, "Emergency mode operation plan"}, {"164.308(a)(7)(ii)(D)", Addressable, "Testing and revision procedures"},
		{"164.308(a)(7)(ii)(E)", Addressable, "Applications and data criticality analysis"},
		{"164.308(a)(8)", Standard, "Evaluation"}, BusinessAssociates, {"164.308(b)(3)", Required, "Written contract or other arrangement"},
		{"164.310(a)(1)", Standard, "Facility access controls"}, {"164.310(a)(2)(i)", Addressable, "Contingency operations"},
		{"164.310(a)(2)(ii)", Addressable, "Facility security plan"}, {"164.310(a)(2)(iii)", Addressable, "Access control and validation procedures"},
		{"164.310(a)(2)(iv)", Addressable, "Maintenance records"}, {"164.310(b)", Standard, "Workstation use"}, {"164.310(c)", Standard, "Workstation security"},
		DeviceMediaControls, {"164.310(d)(2)(i)", Required, "Disposal"}, {"164.310(d)(2)(ii)", Required, "Media re-use"},
		{"164.310(d)(2)(iii)", Addressable, "Accountability"}, {"164.310(d)(2)(iv)", Addressable, "Data backup and storage"},
		AccessControl, UniqueUser, {"164.312(a)(2)(ii)", Required, "Emergency access procedure"}, AutomaticLogoff, EncryptionAtRest, AuditControls,
		Integrity, {"164.312(c)(2)", Addressable, "Mechanism to authenticate electronic protected health information"}, Authentication,
		TransmissionSecurity, {"164.312(e)(2)(i)", Addressable, "Integrity controls"}, EncryptionInTransit,
		AssociateContracts, {"164.314(b)(1)", Standard, "Requirements for group health plans"},
		{"164.316(a)", Standard, "Policies and procedures"}, {"164.316(b)(1)", Standard, "Documentation"}, {"164.316(b)(2)(i)", Required, "Time limit"},
		{"164.316(b)(2)(ii)", Required, "Availability"}, {"164.316(b)(2)(iii)", Required, "Updates"},
	}
}
