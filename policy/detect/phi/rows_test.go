package phi_test

import (
	"strings"
	"testing"

	"github.com/phigate/phigate/policy/detect/detecttest"
	"github.com/phigate/phigate/policy/detect/phi"
)

func TestTable_rows(t *testing.T) {
	comma := func(text string) (rows [][]string) {
		for _, line := range strings.Split(strings.TrimSpace(text), "\n") {
			rows = append(rows, strings.Split(line, ","))
		}
		return rows
	}
	for name, c := range map[string]struct {
		path, columns string
		rows          [][]string
		count, people int
		other         string
	}{
		"columns":      {"/a.db!t", "mrn,last,dob", [][]string{{"12345678", "Doe", "1980-02-01"}, {"12345679", " Roe ", "1981-02-01"}}, 2, 2, ""},
		"table_name":   {"/a.db!patients", "last,first,dob", [][]string{{"Doe", "Jane", "1980-02-01"}}, 1, 1, ""},
		"openmrs_like": {"/a.db!patient", "patient_id,gender,birthdate,given_name,family_name", [][]string{{"7", "F", "1980-02-01", "Jane", "Doe"}}, 1, 1, ""},
		"oscar":        {"/a.db!demographic", "demographic_no,last_name,first_name,hin,year_of_birth,month_of_birth,date_of_birth", [][]string{{"7", "Doe", "Jane", "9876543217", "1980", "02", "01"}}, 1, 1, ""},
		"openemr":      {"/a.db!patient_data", "id,fname,lname,DOB,ss", [][]string{{"1", "Jane", "Doe", "1980-02-01", "237-96-2820"}}, 1, 1, ""},
		"first_row":    {"/a.xlsx!Sheet1", "", comma("mrn,last,dob\n12345678,Doe,1980-02-01"), 1, 1, ""},
		"title_first":  {"/a.xlsx!Sheet1", "", comma("Export of 2024,,\n,,\nmrn,last,dob\n12345678,Doe,1980-02-01"), 1, 1, ""},
		"headerless":   {"/a.xlsx!Sheet1", "", comma(nameless), 4, 4, ""},

		"omop_person":   {"/a.db!person", "person_id,gender_concept_id,year_of_birth,month_of_birth,day_of_birth,race_concept_id", [][]string{{"7", "8507", "1980", "2", "1", "8527"}}, 0, 0, "limited"},
		"i2b2_patients": {"/a.db!patient_dimension", "patient_num,birth_date,zip_cd", [][]string{{"1000000007", "1980-02-01", "02155"}}, 0, 0, "limited"},
		"staff":         {"/a.db!users", "id,last_name,first_name,email", [][]string{{"1", "Doe", "Jane", "jane@clinic.com"}}, 0, 0, "pii"},
		"providers":     {"/a.db!providers", "npi,last_name,first_name,phone,email", [][]string{{"1401154632", "Doe", "Jane", "508-234-5678", "jane@clinic.com"}}, 0, 0, ""},
		"drugs":         {"/a.db!drugs", "ndc,name,dose", [][]string{{"0002-7597-01", "Zyprexa", "10"}}, 0, 0, ""},
		"vocabulary":    {"/a.db!icd", "code,diagnosis", [][]string{{"E11.9", "Type 2 diabetes"}}, 0, 0, ""},
		"empty":         {"/a.db!patients", "mrn,last,dob", nil, 0, 0, ""},
		"nulls":         {"/a.db!patients", "mrn,last,dob", [][]string{{"NULL", "", "0000-00-00"}}, 0, 0, ""},
		"unknown":       {"/a.db!x", "", comma("a,b,c\nd,e,f\ng,h,i"), 0, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var columns []string
			if c.columns != "" {
				columns = strings.Split(c.columns, ",")
			}
			checkResult(t, "phi-table", detecttest.Rows(phi.Table(), c.path, columns, c.rows), c.count, c.people, c.other)
		})
	}
}
