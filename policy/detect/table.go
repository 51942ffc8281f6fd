package detect

// OpenDatabase begins a file with tables that may speak of the same people: those
// that are opened until CloseDatabase. What they hold can be a database again.
func (c *Scan) OpenDatabase(path string) {
	all := map[int]Database{}
	for _, i := range c.set.tables {
		if open := c.set.detectors[i].Database; open != nil {
			c.guard(i, func() { all[i] = open(path) })
		}
	}
	c.databases = append(c.databases, all)
}

// CloseDatabase ends the file and returns what was found in its tables together.
func (c *Scan) CloseDatabase() Result {
	for i := range c.sinks {
		c.sinks[i].reset()
	}
	n := len(c.databases) - 1
	for _, i := range c.set.tables {
		if d := c.databases[n][i]; d != nil {
			c.guard(i, func() { d.Close(&c.sinks[i]) })
		}
	}
	c.databases = c.databases[:n]
	return c.result()
}

// reads is what a detector reads the next table with; nil: it does not want it.
func (c *Scan) reads(i int, m TableMeta) RowReader {
	if n := len(c.databases); n > 0 {
		if d := c.databases[n-1][i]; d != nil {
			return d.Table(m, &c.sinks[i])
		}
	}
	return c.set.detectors[i].Table(m, &c.sinks[i])
}

// OpenTable begins a table with rows and says whether any detector wants it;
// only then Row and CloseTable follow. No columns: they are not known, the
// first row may be a header.
func (c *Scan) OpenTable(path string, columns []string) bool {
	for i := range c.sinks {
		c.sinks[i].reset()
	}
	c.rows, c.wide = 0, nil
	meta := TableMeta{Path: path, Columns: columns}
	for _, i := range c.set.tables {
		var rows RowReader
		c.guard(i, func() { rows = c.reads(i, meta) })
		if rows != nil && !c.sinks[i].crashed {
			c.files[i] = fileState{rows: rows, awake: true}
			c.opened = append(c.opened, i)
		}
	}
	return len(c.opened) > 0
}

// Row takes the next row and says whether more are wanted. The cells need to be
// valid during the call only.
func (c *Scan) Row(cells [][]byte) bool {
	wanted := false
	for _, i := range c.opened {
		if state := &c.files[i]; state.awake {
			c.guard(i, func() { state.awake = state.rows.Row(c.rows, cells) && state.awake })
			wanted = wanted || state.awake
		}
	}
	c.rows++
	return wanted
}

// CloseTable ends the table and returns what was found.
func (c *Scan) CloseTable() Result {
	for _, i := range c.opened {
		c.guard(i, c.files[i].rows.Close)
	}
	return c.result()
}
