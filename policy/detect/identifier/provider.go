package identifier

// NPI says whether a value is a national provider identifier: ten digits that
// begin with 1 or 2 and pass the Luhn check with 80840 before them (45 CFR
// 162.406; CMS, "NPI check digit calculation"). One in ten numbers of ten digits
// passes, and it identifies who treats: it is context, never a patient.
func NPI(v []byte) bool {
	const prefix = 24 // what 80840 adds to the sum
	return len(v) == 10 && (v[0] == '1' || v[0] == '2') && allDigits(v) && luhn(v, prefix)
}

// DEA says whether a value is a registration number of the Drug Enforcement
// Administration: the registrant's type, the initial of the surname or a 9, six
// digits and a check digit (21 CFR 1301; DEA, "Practitioner's Manual"). Like the
// NPI it identifies who prescribes.
func DEA(v []byte) bool {
	if len(v) != 9 || !contains("ABCDEFGHJKLMPRSTUX", v[0]) || !isUpper(v[1]) && v[1] != '9' || !allDigits(v[2:]) {
		return false
	}
	d := func(i int) int { return int(v[1+i] - '0') }
	return (d(1)+d(3)+d(5)+2*(d(2)+d(4)+d(6)))%10 == d(7)
}
