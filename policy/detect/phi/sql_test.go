package phi_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/phigate/phigate/policy/detect/detecttest"
	"github.com/phigate/phigate/policy/detect/phi"
)

const copied = `--
-- PostgreSQL database dump
--
CREATE TABLE public.patient (mrn text, last_name text, first_name text, dob date, ssn text, dx text);
COPY public.patient (mrn, last_name, first_name, dob, ssn, dx) FROM stdin;
40296060	Spinka	Merle	1988-04-29	237-96-2820	J45.909
33619778	Pagac	Caleb	1971-05-16	\N	I10
40296060	Spinka	Merle	1988-04-29	237-96-2820	E11.9
\.
`

const inserted = "-- MySQL dump 10.13\n" +
	"CREATE TABLE `patients` (`id` int NOT NULL, `lname` varchar(40) DEFAULT 'x, y', `fname` varchar(40), `dob` date, `ss` varchar(11), PRIMARY KEY (`id`));\n" +
	"INSERT INTO `patients` VALUES (1,'Spinka','Merle','1988-04-29','237-96-2820'),(2,'O\\'Pagac','Caleb','1971-05-16',NULL),\n" +
	"(3,'Moscis''ki','Maynard; (Jr',\"1975-01-01\",'367-15-3410');\n"

func TestSQL_accept(t *testing.T) {
	detecttest.Accept(t, phi.SQL(), []byte(copied), "/srv/export.sql",
		detecttest.Secrets("Spinka", "Merle", "40296060", "237-96-2820", "Pagac", "Caleb", "1988-04-29", "J45.909"),
		detecttest.Padding([]byte("SET client_encoding = 'UTF8';\n"), []byte("\nALTER TABLE x;\n")),
		detecttest.UTF16(), detecttest.People(2))
}

func TestSQL_accept_insert(t *testing.T) {
	detecttest.Accept(t, phi.SQL(), []byte(inserted), "/srv/export.sql",
		detecttest.Secrets("Spinka", "Merle", "237-96-2820", "Maynard", "1988-04-29"),
		detecttest.Padding([]byte("/*!40101 SET NAMES utf8 */;\nINSERT INTO `t` VALUES (1,'insert into x');\n"), []byte("UNLOCK TABLES;\n")),
		detecttest.UTF16(), detecttest.People(3))
}

func TestSQL(t *testing.T) {
	columns := "INSERT INTO patient (mrn, last_name, dob) VALUES "
	for name, c := range map[string]struct {
		content      string
		rows, people int
		other        string
	}{
		"columns":          {columns + "('12345678','Doe','1980-02-01');", 1, 1, ""},
		"a_statement_each": {columns + "('12345678','Doe','1980-02-01');\n" + columns + "('12345679','Roe','1981-02-01');\n", 2, 2, ""},
		"on_one_line":      {columns + "('12345678','Doe','1980-02-01'); " + columns + "('12345679','Roe','1981-02-01');", 2, 2, ""},
		"lower_case":       {strings.ToLower(columns) + "('12345678','Doe','1980-02-01');", 1, 1, ""},
		"replace":          {"REPLACE INTO patient (mrn, last_name, dob) VALUES ('12345678','Doe','1980-02-01');", 1, 1, ""},
		"ignore":           {"INSERT IGNORE INTO `patient` (`mrn`, `last_name`, `dob`) VALUES ('12345678','Doe','1980-02-01');", 1, 1, ""},
		"sql_server":       {"INSERT [dbo].[Patient] ([MRN], [LastName], [BirthDate]) VALUES (N'12345678', N'Doe', CAST(N'1980-02-01' AS Date))\nGO\n", 1, 1, ""},
		"oracle":           {"Insert into HR.PATIENT (MRN,LAST_NAME,DOB) values ('12345678','Doe',to_date('01-FEB-1980','DD-MON-YYYY'));", 1, 1, ""},
		"quoted_names":     {"INSERT INTO \"patient\" (\"mrn\",\"last_name\",\"dob\") VALUES ('12345678','Doe','1980-02-01');", 1, 1, ""},
		"conflict":         {columns + "('12345678','Doe','1980-02-01') ON CONFLICT DO NOTHING;\n" + columns + "('12345679','Roe','1981-02-01');", 2, 2, ""},
		"backslash_at_end": {"INSERT INTO patient (mrn, path, last_name, dob) VALUES ('12345678','C:\\','Doe','1980-02-01'),('12345679','D:\\','Roe','1981-02-01');", 2, 2, ""},
		"backslash_quote":  {"INSERT INTO `patient` (`mrn`, `note`, `last_name`, `dob`) VALUES ('12345678','it\\'s','Doe','1980-02-01');", 1, 1, ""},
		"lost_quote":       {columns + "('12345678','Doe,'1980-02-01');\n" + columns + "('12345679','Roe','1981-02-01');", 1, 1, ""},
		"copy_no_columns":  {"CREATE TABLE s.patient (mrn text, last_name text, dob date);\nCOPY s.patient FROM stdin;\n12345678\tDoe\t1980-02-01\n\\.\n", 1, 1, ""},
		"create_comment":   {"CREATE TABLE patient (\n  mrn text, -- the patient's number\n  last_name text,\n  dob date\n);\nINSERT INTO patient VALUES ('12345678','Doe','1980-02-01');", 1, 1, ""},
		"within_a_script":  {"#!/bin/sh\npsql -c \"INSERT INTO patient (mrn, last_name, dob) VALUES ('12345678','Doe','1980-02-01')\"\n", 1, 1, ""},
		"guessed_columns": {
			"INSERT INTO patients VALUES ('Spinka','Merle','1988-04-29','237-96-2820','J45.909'),\n('Pagac','Caleb','1971-05-16','445-77-6216','E11.9')," +
				"('Mosciski','Maynard','2014-10-06','367-15-3410','F32.9');", 3, 3, "",
		},
		"name_in_patients": {"INSERT INTO patients (name, phone, email) VALUES ('Jane Doe','508-234-5678','jane@clinic.com');", 1, 1, ""},
		"guessed_patients": {
			"insert into Patient values(954296,'Alice Poe','1965-03-17','F');\ninsert into Patient values(167493,'Jane Doe','1970-08-27','F');\n" +
				"insert into Patient values(117843,'Joan Roe','2005-10-23','F');", 3, 3, "",
		},
		"split_in_tables": {
			"INSERT INTO person (person_id,gender,birthdate) VALUES (3, 'F', '1980-02-01'), (4, 'F', '1981-02-01');\n" +
				"INSERT INTO person_name (person_id,given_name,family_name) VALUES (3, 'Jane', 'Doe'), (4, 'Joan', 'Roe');\n" +
				"INSERT INTO patient (patient_id,creator) VALUES (3, 1);", 1, 1, "pii",
		},

		"people":            {"INSERT INTO people (last_name, first_name, dob, ssn) VALUES ('Doe','Jane','1980-02-01','237-96-2820');", 0, 0, "pii"},
		"coded":             {"INSERT INTO visits (subject_id, icd10) VALUES ('a7','E11.9');", 0, 0, "limited"},
		"schema":            {"CREATE TABLE patient (mrn text, last_name text, dob date);\n", 0, 0, ""},
		"placeholders":      {columns + "(?, ?, ?), (:mrn, :last, :dob), ('{{mrn}}','{{last}}','{{dob}}'), ($1, $2, $3);", 0, 0, ""},
		"select":            {"INSERT INTO patient (mrn, last_name, dob) SELECT a, b, c FROM t;\n", 0, 0, ""},
		"other_table":       {columns + "(NULL,NULL,NULL);\nINSERT INTO drugs (mrn_code, label) VALUES ('12345678','Doe');", 0, 0, ""},
		"copy_from_file":    {"COPY patient (mrn, last_name, dob) FROM '/tmp/x';\n12345678\tDoe\t1980-02-01\n", 0, 0, ""},
		"prose":             {"You insert into the patient (mrn, last_name, dob) values of ('12345678','Doe','1980-02-01')", 0, 0, ""},
		"unclosed":          {columns + "('12345678','Doe','1980-02-01", 0, 0, ""},
		"concept_codes":     {"INSERT INTO concept (concept_id, code, diagnosis) VALUES (7,'E11.9','E11.9');", 0, 0, ""},
		"provider_register": {"INSERT INTO provider (npi, last_name, first_name, phone) VALUES ('1401154632','Doe','Jane','(508) 555-2164');", 0, 0, ""},
	} {
		t.Run(name, func(t *testing.T) {
			checkResult(t, "phi-sql", detecttest.Run(phi.SQL(), "/srv/a.sql", []byte(c.content)), c.rows, c.people, c.other)
		})
	}
}

// TestSQL_many: statements of many rows, and many of one, beyond any block.
func TestSQL_many(t *testing.T) {
	for name, head := range map[string]string{
		"one_statement":    "",
		"a_statement_each": "INSERT INTO patient (mrn,last_name,dob) VALUES ",
	} {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			b.WriteString("CREATE TABLE patient (mrn text, last_name text, dob date);\n")
			if head == "" {
				b.WriteString("INSERT INTO patient VALUES ")
			}
			const rows = 3000
			for i := range rows {
				end := ",\n"
				if head != "" || i == rows-1 {
					end = ";\n"
				}
				fmt.Fprintf(&b, "%s('%08d','Doe','1980-02-01')%s", head, 10_000_000+i, end)
			}
			got := detecttest.Run(phi.SQL(), "/a.sql", []byte(b.String()), 5000)
			if f := got.Of("phi-sql"); f == nil || f.Count != rows {
				t.Error("the rows were miscounted")
			}
		})
	}
}
