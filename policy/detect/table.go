package detect

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
		c.guard(i, func() { rows = c.set.detectors[i].Table(meta, &c.sinks[i]) })
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
