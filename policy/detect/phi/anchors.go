package phi

// The words by which detectors wake. Between the words of a name a separator may
// stand, so that each expression with a class of separators has a brother without.
// Short ones need a boundary: "dob" stands in "doberman". Each was counted over a
// distribution's /usr/share and the source of Go: none is met more often than once
// in 2 MB, all together about once in 1 MB.

// headerWords are what one column at least of a table of people is called: with
// a name alone nobody is identified.
func headerWords() []string {
	return []string{
		`(?i)[^a-z]dob[^a-z]`, `[a-z]D[oO][bB][^a-zA-Z]`, `(?i)birth[_ -]date`, `(?i)birthdate`, `(?i)birth[_ -]dt`, `(?i)birthdt`, `(?i)brth[_ -]d`, `(?i)brthd`,
		`(?i)date[_ -]of[_ -]birth`, `(?i)dateofbirth`, `(?i)year[_ -]of[_ -]birth`, `(?i)yearofbirth`, `(?i)birth[_ -]year`, `(?i)birthyear`, `(?i)birthday`,
		`(?i)datebirth`, `(?i)geburtsdatum`, `(?i)naissance`, `(?i)nacimiento`,
		`(?i)[^a-z]ssn[^a-z]`, `[a-z]S[sS][nN][^a-zA-Z]`, `(?i)social[_ -]sec`, `(?i)socialsec`, `(?i)soc[_ -]sec`, `(?i)socsec`,
		`(?i)[^a-z]mrn[^a-z]`, `[a-z]M[rR][nN][^a-zA-Z]`, `(?i)medical[_ -]rec`, `(?i)medicalrec`, `(?i)med[_ -]rec[_ -]`, `(?i)medrec[_ n]`,
		`(?i)patient[_ -]id`, `(?i)patientid`, `(?i)patid[^a-z]`, `(?i)pat[_ -]id[^a-z]`, `(?i)pt[_ -]id[^a-z]`, `(?i)patient[_ -]n[aou]`, `(?i)patientn[aou]`,
		`(?i)chart[_ -]n[ou]`, `(?i)chartn[ou][^a-z]`, `(?i)hospital[_ -]n[ou]`, `(?i)hospitaln[ou]`, `(?i)[^a-z]hin[,;|\t\r\n"]`, `(?i)demographic[_ -]no`,
		`(?i)[^a-z]mbi[^a-z]`, `(?i)[^a-z]hicn[^a-z]`, `(?i)medicare`, `(?i)medicaid`, `(?i)beneficiary`,
		`(?i)member[_ -]id`, `(?i)memberid`, `(?i)subscriber[_ -]id`, `(?i)subscriberid`,
		`(?i)last[_ -]name`, `(?i)lastname`, `(?i)[^a-z]lname[^a-z]`, `(?i)surname`, `(?i)family[_ -]name`, `(?i)familyname`, `(?i)last[_ -]nm`, `(?i)lastnm`,
		`(?i)[,;|\t"\n]last[,;|\t"\r\n]`, `(?i)ptlast`, `(?i)mbrlst`, `(?i)nachname`, `(?i)apellido`,
		`(?i)[^a-z]patient[,;|\t\r\n"]`, `(?i)study[_ -]id`, `(?i)studyid`, `(?i)subject[_ -]id`, `(?i)usubjid`, `(?i)person[_ -]id`, `(?i)patient[_ -]key`,
	}
}
