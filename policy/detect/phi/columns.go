package phi

import (
	"bytes"
	"slices"
	"strings"
)

// kind is what the values of a column, of a key or behind a label say about a
// person. The dictionaries of this file serve tables, dumps, JSON, XML and text.
type kind uint8

const (
	other kind = iota
	lastName
	firstName
	fullName
	anyName // "name" alone: could be anything's
	dob
	birthYear
	birthMonth
	birthDay
	ssn
	mrn
	mbi
	plan // an identifier within a health plan
	phone
	email
	street
	account
	license
	vehicle
	device
	subject // tells rows of one person from those of others, and not who it is
	visit   // tells visits apart
	code    // of any system: its values say whether it is health care's
	dx
	kinds // how many there are
)

// column is what a header cell says.
type column struct {
	kind     kind
	context  int  // how much it speaks of health: 2 suffices, see PHI context scoring
	patient  bool // it speaks of a patient by this word
	provider bool // of those who treat, not of those who are treated
	stranger bool // of someone else
}

// maxHeader bounds the bytes of a header cell.
const maxHeader = 64

// headerLike says cheaply whether a cell could be a column's name.
func headerLike(cell []byte) bool {
	if len(cell) == 0 || len(cell) > maxHeader {
		return false
	}
	for i, c := range cell {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c >= 0x80
		if !letter && (i == 0 || !(c >= '0' && c <= '9' || bytes.IndexByte([]byte(" _-./#()?'"), c) >= 0)) {
			return false
		}
	}
	return true
}

// classify reads one header cell.
func classify(cell []byte) column {
	if i := bytes.IndexByte(cell, '('); i > 0 {
		cell = cell[:i] // a unit or a notation
	}
	words := words(string(cell))
	joined := strings.Join(words, "")
	var c column
	for _, w := range words {
		switch whoseWord(w) {
		case patientWord:
			c.context, c.patient = 2, true
		case providerWord:
			c.context, c.provider = 1, true
		case strangerWord:
			return column{stranger: true}
		}
	}
	if c.provider {
		return c
	}
	c.kind = kindOf(joined)
	if c.kind == other {
		c.kind = kindOf(withoutOwner(words))
	}
	if c.kind == other {
		c.kind = kindOfWords(words)
	}
	c.context = max(c.context, healthOf(c.kind, words, joined))
	return c
}

// kindOf is the header dictionary; the key is lower case letters and digits.
func kindOf(key string) kind {
	switch key {
	case "last", "lname", "lastname", "lastnm", "lstnm", "surname", "family", "familyname", "ptlast", "mbrlstnm", "patlname", "namelast",
		"lastname1", "paternallastname", "nachname", "nom", "nomdefamille", "apellido", "apellidos", "cognome":
		return lastName
	case "first", "fname", "firstname", "firstnm", "frstnm", "given", "givenname", "forename", "ptfirst", "mbrfstnm", "patfname", "namefirst",
		"vorname", "prenom", "nombre":
		return firstName
	case "full", "fullname", "patient", "patientname", "patname", "ptname", "membername", "mbrname", "subscribername", "beneficiaryname",
		"residentname", "insuredname", "lastfirst", "lastnamefirstname", "patnm":
		return fullName
	case "name", "nm", "personname", "displayname":
		return anyName
	case "dob", "birthdate", "dateofbirth", "brthdt", "bday", "birthdt", "datebirth", "birthday", "dobdt", "dobdate", "brthdate", "birthdatetime",
		"birth", "born", "bdate", "geburtsdatum", "datedenaissance", "datenaissance", "fechanacimiento", "fechadenacimiento":
		return dob
	case "yearofbirth", "birthyear", "yob":
		return birthYear
	case "monthofbirth", "birthmonth", "mob":
		return birthMonth
	case "dayofbirth", "birthday1":
		return birthDay
	case "ssn", "ss", "ssno", "ssnum", "ssnumber", "socsec", "socsecno", "socialsecurity", "socialsecuritynumber", "socialsecurityno",
		"socialsecuritynum", "ssnbr", "socsecnum":
		return ssn
	case "mrn", "medrec", "medrecno", "medrecnum", "medicalrecord", "medicalrecordno", "medicalrecordnumber", "medicalrecordnum",
		"medicalrecordid", "patid", "patientid", "patientno", "patientnumber", "ptid", "ptno", "chartno", "chartnumber", "chartnum", "chartid",
		"recno", "hin", "demographicno", "hospitalno", "hospitalnumber", "patientidentifier", "patientmrn", "empi", "nhsnumber", "nhsno":
		return mrn
	case "mbi", "hicn", "hic", "medicareid", "medicareno", "medicarenumber", "medicarebeneficiaryid", "beneficiaryid", "beneid":
		return mbi
	case "memberid", "memberno", "membernumber", "mbrid", "subscriberid", "subscriberno", "policyno", "policynumber", "medicaidid",
		"medicaidno", "medicaidnumber", "healthplanid", "insuranceid", "healthcardnumber", "healthcard":
		return plan
	case "phone", "phoneno", "phonenumber", "phonenum", "homephone", "cell", "cellphone", "mobile", "mobilephone", "telephone", "tel", "phone1",
		"phonehome", "fax", "faxno", "faxnumber", "homephonenumber", "cellphonenumber", "phonecell":
		return phone
	case "email", "emailaddress", "emailaddr", "mail", "emailid":
		return email
	case "street", "streetaddress", "address", "address1", "addressline1", "addr", "addr1", "addressline", "homeaddress", "mailingaddress", "street1",
		"residentialaddress", "line1":
		return street
	case "accountno", "accountnumber", "acctno", "acctnum", "acctnumber", "patientaccount", "patientaccountnumber", "cardno", "cardnumber",
		"creditcard", "creditcardnumber", "bankaccount", "iban", "ccnumber":
		return account
	case "drivers", "driverslicense", "driverlicense", "driverslicensenumber", "driverslicenseno", "licenseno", "licensenumber", "dlnumber", "passport",
		"passportno", "passportnumber", "dlno":
		return license
	case "vin", "vehicleid", "licenseplate", "vehicleidentificationnumber":
		return vehicle
	case "udi", "deviceid", "deviceserial", "deviceserialnumber", "implantserial":
		return device
	case "patientnum", "personid", "subjectid", "studyid", "subject", "usubjid", "subjid", "participantid", "patientkey", "patientuuid", "patientguid", "patkey":
		return subject
	case "encounter", "encounterid", "visitid", "encounternum":
		return visit
	case "code", "conceptcd", "conceptcode", "snomed", "snomedcode", "loinc", "loinccode", "ndc", "ndccode", "procedurecode", "medicationcode":
		return code
	case "dx", "dx1", "diag", "icd", "icd9", "icd10", "icd10cm", "icd9cm", "diagnosis", "diagnoses", "diagnosiscode", "diagcode", "dxcode",
		"icdcode", "icd10code", "icd9code", "primarydiagnosis", "primarydx", "admittingdiagnosis", "principaldiagnosis", "diagnose", "prob",
		"problem", "condition", "conditions", "problems":
		return dx
	}
	return other
}

// withoutOwner is the key without the words that say whose column it is:
// "patient_last_name" is a last name.
func withoutOwner(words []string) string {
	for len(words) > 1 {
		switch words[0] {
		case "patient", "pt", "pat", "member", "mbr", "subscriber", "insured", "person", "client", "resident", "bene", "beneficiary",
			"demographic", "participant", "subject", "clm", "claim", "legal", "primary", "home", "current", "customer", "user":
			words = words[1:]
			continue
		}
		break
	}
	return strings.Join(words, "")
}

// kindOfWords finds words that mean one thing wherever they stand.
func kindOfWords(words []string) kind {
	for i, w := range words {
		switch w {
		case "dob":
			return dob
		case "ssn":
			return ssn
		case "mrn":
			return mrn
		case "mbi", "hicn":
			return mbi
		case "dx", "icd", "icd9", "icd10", "diagnosis", "diagnoses":
			return dx
		case "phone":
			return phone
		case "email":
			return email
		}
		if i == 0 {
			continue
		}
		switch words[i-1] + " " + w {
		case "birth date", "birth dt", "of birth":
			if slices.Contains(words, "date") || slices.Contains(words, "dt") {
				return dob
			}
		case "last name", "family name":
			return lastName
		case "first name", "given name":
			return firstName
		case "social security":
			return ssn
		case "medical record", "hospital number", "chart number":
			return mrn
		}
	}
	return other
}

// whose is the person that a word of a header speaks of.
type whose uint8

const (
	nobody       whose = iota
	patientWord        // someone who is treated
	providerWord       // someone who treats, or the place
	strangerWord       // someone else: kin, staff, who pays
)

func whoseWord(word string) whose {
	switch word {
	case "patient", "patients":
		return patientWord
	case "provider", "physician", "doctor", "prescriber", "attending", "practitioner", "npi", "dea", "nurse", "surgeon", "hospital", "clinic",
		"facility", "pcp", "clinician", "speciality", "specialty", "taxonomy", "referring", "rendering", "pharmacy", "pharmacist":
		return providerWord
	case "employee", "emp", "employer", "staff", "contact", "emergency", "guarantor", "kin", "nok", "spouse", "father", "mother", "parent",
		"guardian", "payer", "payor", "organization", "organisation", "company", "vendor", "official", "username", "file", "filename",
		"owner", "author", "supplier", "manager", "host", "hostname", "domain":
		return strangerWord
	}
	return nobody
}

// healthOf weighs what a column says of health: 2 where it alone makes a table
// of people a table of patients.
func healthOf(k kind, words []string, joined string) int {
	switch k {
	case dx:
		switch joined {
		case "prob", "problem", "problems", "condition", "conditions":
			return 1
		}
		return 2
	case mbi:
		return 2
	case mrn:
		if joined == "recno" {
			return 0
		}
		return 2
	case plan:
		if strings.Contains(joined, "medicaid") || strings.Contains(joined, "health") {
			return 2
		}
		return 1
	}
	for _, w := range words {
		if healthWord(w) {
			return 1
		}
	}
	switch joined {
	case "admitdate", "admitdt", "dischargedate", "dischargedt", "visitdate", "visitid", "visitdt", "visitno", "admissiondate":
		return 1
	}
	if strings.HasSuffix(joined, "conceptid") { // OMOP's vocabulary
		return 1
	}
	return 0
}

func healthWord(word string) bool {
	switch word {
	case "rx", "ndc", "rxnorm", "loinc", "cpt", "hcpcs", "snomed", "drg", "encounter", "encounters", "admit", "admission", "admitted", "discharge",
		"discharged", "allergy", "allergies", "medication", "medications", "medicine", "drug", "drugs", "prescription", "dosage", "dose",
		"procedure", "procedures", "immunization", "vaccine", "vaccination", "lab", "labs", "symptom", "symptoms", "clinical", "health",
		"healthcare", "medical", "medicare", "medicaid", "treatment", "therapy", "surgery", "hba1c", "a1c", "glucose", "hiv", "pregnant",
		"pregnancy", "bloodtype", "vitals", "comorbidity", "comorbidities", "ward", "icu", "triage", "copay", "deductible":
		return true
	}
	return false
}

// words cuts a header or a path into lower case words, at everything that is no
// letter or digit and between "aB".
func words(s string) []string {
	var out []string
	start, lower := -1, false
	flush := func(end int) {
		if start >= 0 && end > start {
			out = append(out, strings.ToLower(s[start:end]))
		}
		start = -1
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		upper := c >= 'A' && c <= 'Z'
		if !upper && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c < 0x80 {
			flush(i)
			lower = false
			continue
		}
		if upper && lower {
			flush(i)
		}
		if start < 0 {
			start = i
		}
		lower = !upper
	}
	flush(len(s))
	return out
}

// context is what a path or a table's name says of the records below it.
type context struct {
	weight  int  // of health, at most 2
	patient bool // its last part names patients
	people  bool // or people, whose key "id" is
	joins   bool // other tables may speak of the same people
}

// contextOfPath reads a path, and the name of a table in the file.
func contextOfPath(path, table string) context {
	c := context{weight: min(enoughContext, pathContext(path)+pathContext(table))}
	if table == "" {
		table = path[strings.LastIndexAny(path, "/!")+1:]
	}
	for _, w := range words(table) {
		c.patient = c.patient || whoseWord(w) == patientWord
		c.people = c.people || c.patient || peopleWord(w)
	}
	return c
}

// peopleWord says whether a table is called by a word for people.
func peopleWord(w string) bool {
	switch w {
	case "person", "persons", "people", "client", "clients", "resident", "residents", "participant", "participants", "subject", "subjects":
		return true
	}
	return false
}

// pathContext weighs what a path says of health: whole words only, so that
// "cryptographic" holds no "phi" and "missingItemRef" no "emr".
func pathContext(path string) int {
	weight := 0
	for _, w := range words(path) {
		switch w {
		case "patient", "patients", "phi", "ephi", "ehr", "emr", "mrn", "hl7", "ccda", "dicom", "radiology", "labresults", "diagnosis", "diagnoses":
			return 2
		case "claims", "claim", "members", "member", "enrol", "enrollment", "enrolment", "discharge", "eob", "837", "835", "834", "clinical",
			"clinic", "medical", "encounters", "encounter", "health", "healthcare", "hospital", "medicaid", "medicare":
			weight++
		}
	}
	return min(weight, 2)
}
