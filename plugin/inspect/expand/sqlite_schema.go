package expand

import (
	"strconv"
	"strings"
)

// sqliteTable is a table that has rows of its own.
type sqliteTable struct {
	name    string
	root    uint32
	columns []string // as they are stored
	rowid   int      // the column that the row's number stands for, -1 without one
}

// tables reads the schema. Views have no rows of their own, nor have virtual
// tables: what a full-text index keeps is in its shadow tables, which are tables
// like others.
func (db *sqliteDB) tables() []sqliteTable {
	var found []sqliteTable
	kept := 0
	_ = db.walk(1, func(c sqliteCell) error {
		cells, whole := db.row.decode(db, c)
		if !whole {
			db.damaged = true
		}
		if len(cells) < 5 || string(cells[0]) != "table" {
			return nil
		}
		root, err := strconv.ParseUint(string(cells[3]), 10, 32)
		if err != nil || root == 0 {
			return nil
		}
		if len(found) == sqliteTables {
			db.damaged = true
			return errStop
		}
		t := sqliteTable{rowid: -1}
		if kept += len(cells[4]); kept <= sqliteSchema {
			t = parseCreate(string(cells[4]))
		} else {
			db.cut = true // its columns have no names
		}
		t.name, t.root = string(cells[1][:min(len(cells[1]), maxPath)]), uint32(root)
		found = append(found, t)
		return nil
	})
	return found
}

// rows hands out a table's rows until emit has enough.
func (db *sqliteDB) rows(t sqliteTable, emit func(cells [][]byte) error) error {
	var number []byte
	return db.walk(t.root, func(c sqliteCell) error {
		cells, whole := db.row.decode(db, c)
		if !whole {
			db.damaged = true
		}
		if t.rowid >= 0 && t.rowid < len(cells) && cells[t.rowid] == nil {
			number = strconv.AppendInt(number[:0], c.rowid, 10)
			cells[t.rowid] = number
		}
		if len(cells) == 0 {
			return nil
		}
		return emit(cells)
	})
}

// parseCreate reads the columns from a CREATE TABLE statement. The statement is
// as whoever made the file wrote it: what cannot be understood leaves a table
// with fewer names, never with fewer rows.
func parseCreate(sql string) sqliteTable {
	words := sqlWords(sql, 16*sqliteCells)
	for len(words) > 0 && !words[0].is("(") {
		words = words[1:]
	}
	var d definition
	for len(words) > 0 && !words[0].is(")") {
		var item []sqlWord
		item, words = sqlItem(words[1:])
		d.item(item)
	}
	return d.table(words)
}

// definition is what the items between a CREATE TABLE's parentheses say.
type definition struct {
	columns []string
	integer []bool   // the column's type is INTEGER
	key     []string // columns of the primary key
}

// item takes a column or a constraint of the table.
func (d *definition) item(item []sqlWord) {
	if len(item) == 0 || len(d.columns) == sqliteCells {
		return
	}
	key, keyed := primaryKey(item)
	if item[0].is("CONSTRAINT", "PRIMARY", "UNIQUE", "CHECK", "FOREIGN") {
		if keyed {
			d.key = key
		}
		return
	}
	if computed(item) {
		return
	}
	if keyed {
		d.key = []string{item[0].text}
	}
	d.columns = append(d.columns, item[0].text)
	d.integer = append(d.integer, len(item) > 1 && item[1].is("INTEGER"))
}

// table is the result; after is what follows the columns.
func (d *definition) table(after []sqlWord) sqliteTable {
	for i := range after {
		if after[i].is("WITHOUT") && i+1 < len(after) && after[i+1].is("ROWID") {
			return sqliteTable{columns: keyFirst(d.columns, d.key), rowid: -1}
		}
	}
	t := sqliteTable{columns: d.columns, rowid: -1}
	if len(d.key) == 1 {
		if i := indexFold(d.columns, d.key[0]); i >= 0 && d.integer[i] {
			t.rowid = i
		}
	}
	return t
}

// computed says whether a column is generated and not stored.
func computed(column []sqlWord) bool {
	as, stored := false, false
	for i, w := range column[1:] {
		as = as || w.is("AS") && i+2 < len(column) && column[i+2].is("(")
		stored = stored || w.is("STORED")
	}
	return as && !stored
}

// primaryKey gives the names in PRIMARY KEY (a, b), if that is said.
func primaryKey(item []sqlWord) (names []string, ok bool) {
	for i := range item {
		if !item[i].is("PRIMARY") || i+1 == len(item) || !item[i+1].is("KEY") {
			continue
		}
		first := true // of its part: what follows a name is COLLATE or DESC
		for _, w := range item[i+2:] {
			switch {
			case w.is("(", ","):
				first = true
			case w.is(")"):
				return names, true
			case first:
				names, first = append(names, w.text), false
			}
		}
		return names, true
	}
	return nil, false
}

// keyFirst is the order in which a table without row numbers keeps its columns:
// section 2.4.
func keyFirst(columns, key []string) []string {
	order := make([]string, 0, len(columns))
	for _, names := range [][]string{key, columns} {
		for _, name := range names {
			if indexFold(order, name) < 0 && indexFold(columns, name) >= 0 {
				order = append(order, name)
			}
		}
	}
	return order
}

func indexFold(names []string, name string) int {
	for i := range names {
		if strings.EqualFold(names[i], name) {
			return i
		}
	}
	return -1
}

// sqlWord is a name, a keyword, a number or a sign.
type sqlWord struct {
	text   string
	quoted bool // then it is no keyword
}

func (w sqlWord) is(keywords ...string) bool {
	for _, k := range keywords {
		if !w.quoted && strings.EqualFold(w.text, k) {
			return true
		}
	}
	return false
}

// sqlItem cuts off what comes before the next comma or closing parenthesis of
// this level, with which the rest begins.
func sqlItem(words []sqlWord) (item, rest []sqlWord) {
	depth := 0
	for i, w := range words {
		switch {
		case w.is("("):
			depth++
		case depth > 0 && w.is(")"):
			depth--
		case depth == 0 && w.is(",", ")"):
			return words[:i], words[i:]
		}
	}
	return words, nil
}

// sqlWords cuts a statement into at most limit words, without comments.
func sqlWords(sql string, limit int) []sqlWord {
	var words []sqlWord
	for len(words) < limit {
		sql = sqlBlank(sql)
		if sql == "" {
			break
		}
		var w sqlWord
		w, sql = nextWord(sql)
		words = append(words, w)
	}
	return words
}

// sqlBlank drops space and comments.
func sqlBlank(sql string) string {
	for {
		sql = strings.TrimLeft(sql, " \t\r\n\f")
		end := ""
		switch {
		case strings.HasPrefix(sql, "--"):
			end = "\n"
		case strings.HasPrefix(sql, "/*"):
			end = "*/"
		default:
			return sql
		}
		_, sql, _ = strings.Cut(sql[2:], end)
	}
}

// nextWord cuts off the first word. Names are quoted in three ways, of which
// doubling escapes the quote in all but brackets.
func nextWord(sql string) (w sqlWord, rest string) {
	switch c := sql[0]; {
	case c == '[':
		text, rest, _ := strings.Cut(sql[1:], "]")
		return sqlWord{text, true}, rest
	case c == '"' || c == '`' || c == '\'':
		text, rest := sqlQuoted(sql[1:], c)
		return sqlWord{text, true}, rest
	case !wordByte(c):
		return sqlWord{text: sql[:1]}, sql[1:]
	}
	n := 1
	for n < len(sql) && wordByte(sql[n]) {
		n++
	}
	return sqlWord{text: sql[:n]}, sql[n:]
}

func sqlQuoted(sql string, quote byte) (text, rest string) {
	for i := 0; i < len(sql); i++ {
		if sql[i] != quote {
			continue
		}
		if i+1 < len(sql) && sql[i+1] == quote {
			i++
			continue
		}
		q := string(quote)
		return strings.ReplaceAll(sql[:i], q+q, q), sql[i+1:]
	}
	return sql, ""
}

func wordByte(c byte) bool {
	return c >= 0x80 || c == '_' || c == '$' || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}
