package config

import "github.com/phigate/phigate/policy"

// stock are files that ordinary images ship, one for each kind that rules by
// file name are written for. A glob that hits one of them refuses images that
// hold nothing of the operator's.
func stock() [][2]string {
	return [][2]string{
		{"information_schema.sql", "PostgreSQL's /usr/share/postgresql/15/information_schema.sql"},
		{"iris.csv", "scikit-learn's sklearn/datasets/data/iris.csv"},
		{"exDIF.csv", "R's /usr/lib/R/library/utils/misc/exDIF.csv"},
		{"package.json", "Node.js's npm/package.json"},
		{"LICENSE.txt", "Python's LICENSE.txt"},
		{"cacert.pem", "pip's certifi/cacert.pem"},
		{"ca-certificates.crt", "/etc/ssl/certs/ca-certificates.crt"},
		{"dpkg.log", "Debian's /var/log/dpkg.log"},
		{"changelog.Debian.gz", "Debian's /usr/share/doc/base-files/changelog.Debian.gz"},
		{"catalog.xml", "/etc/xml/catalog.xml"},
		{"templates.dat", "Debian's /var/cache/debconf/templates.dat"},
	}
}

// warnStock says so where a rule goes by a glob alone. The rule keeps its
// meaning: softening it silently would be worse.
func (s *source) warnStock(r *parsedRule, entries []fileEntry) {
	if r.all && len(prefixes(entries)) > 0 {
		return
	}
	for i, e := range entries {
		if e.glob == "" && e.path == "/" {
			s.warning(r.entries[i].at, "path: / hits every file of every image, and every mount")
			continue
		}
		for _, file := range stock() {
			if e.glob != "" && matchName(e.glob, file[0]) && r.info.Default != policy.Audit {
				s.warning(r.entries[i].at, "%s also hits stock files of ordinary images, such as %s; with match.all and a path: it can be narrowed", shown(e.glob), file[1])
				break
			}
		}
	}
}
