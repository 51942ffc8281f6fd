package xmltok

import "bytes"

// close completes a tag.
func (z *Tokenizer) close() {
	z.state = outside
	z.flush()
	prefix, name := cut(z.tag[:z.nameTo])
	switch {
	case z.ended:
		z.endTag(prefix, name)
	case len(z.levels) == MaxDepth:
		z.missed[deep] = true
		if !z.empty {
			z.over++
		}
	default:
		z.push(prefix, name)
		if z.empty {
			z.pop(Token{Off: z.mark})
		}
	}
}

// cut parts a name from its prefix, and bounds it.
func cut(full []byte) (prefix, name []byte) {
	if i := bytes.IndexByte(full, ':'); i >= 0 {
		prefix, full = full[:i], full[i+1:]
	}
	return prefix[:min(len(prefix), MaxName)], full[:min(len(full), MaxName)]
}

// flush emits the text that stands before a tag.
func (z *Tokenizer) flush() {
	if n := len(z.levels); (z.solid || z.ownInText) && z.over == 0 {
		t := Token{Kind: Text, Off: z.textAt, Value: bytes.TrimRight(z.text, " \t\r\n\x00"), Cut: z.cut, Depth: n, Unexpanded: z.ownInText}
		if n > 0 {
			z.named(&t, n-1)
		}
		z.tok = t
		z.emit(&z.tok)
	}
	z.text, z.solid, z.cut, z.textAt, z.ownInText = z.text[:0], false, false, z.mark, false
}

// named sets what an open element is called.
func (z *Tokenizer) named(t *Token, i int) {
	l, full := z.levels[i], z.name(i)
	t.Prefix, t.Name = full[:l.prefix], full[l.prefix:]
	if l.space >= 0 {
		t.Space = z.spaces[l.space].uri
	}
}

// push opens an element.
func (z *Tokenizer) push(prefix, name []byte) {
	l := level{name: len(z.names), prefix: len(prefix), keep: len(z.spaces)}
	z.attributes()
	l.space = z.lookup(prefix)
	z.names = append(append(z.names, prefix...), name...)
	z.levels = append(z.levels, l)
	t := Token{Kind: Start, Off: z.mark, Attrs: z.attrs, Depth: len(z.levels) - 1, Unexpanded: z.ownInTag, Cut: z.cutInTag}
	z.named(&t, t.Depth)
	z.tok = t
	z.emit(&z.tok)
}

// attributes collects those of the tag and declares its name spaces.
func (z *Tokenizer) attributes() {
	z.attrs = z.attrs[:0]
	for _, s := range z.spans {
		full, value := z.tag[s.name:s.value], z.tag[s.value:s.end]
		prefix, name := cut(full)
		switch {
		case string(full) == "xmlns":
			z.declare(nil, value)
		case string(prefix) == "xmlns":
			z.declare(name, value)
		default:
			z.attrs = append(z.attrs, Attr{Name: name, Value: value})
		}
	}
}

// declare binds a prefix until its element's end.
func (z *Tokenizer) declare(prefix, uri []byte) {
	if len(z.spaces) == maxSpace {
		z.missed[manySpaces] = true
		return
	}
	if n := len(z.spaces); n < cap(z.spaces) {
		z.spaces = z.spaces[:n+1] // with the buffers of an earlier declaration
	} else {
		z.spaces = append(z.spaces, space{})
	}
	s := &z.spaces[len(z.spaces)-1]
	s.prefix = append(s.prefix[:0], prefix...)
	s.uri = append(s.uri[:0], uri[:min(len(uri), maxURI)]...)
}

// lookup is the declaration of a prefix that counts, -1 without one.
func (z *Tokenizer) lookup(prefix []byte) int {
	for i := len(z.spaces) - 1; i >= 0; i-- {
		if bytes.Equal(z.spaces[i].prefix, prefix) {
			return i
		}
	}
	return -1
}

// endTag closes the innermost element of that name and those within it that
// have no end. One that was never opened changes nothing.
func (z *Tokenizer) endTag(prefix, name []byte) {
	if z.over > 0 {
		z.over--
		return
	}
	for i := len(z.levels) - 1; i >= 0; i-- {
		if full := z.name(i); len(full) != len(prefix)+len(name) || !bytes.HasPrefix(full, prefix) || !bytes.HasSuffix(full, name) {
			continue
		}
		for len(z.levels) > i+1 {
			z.pop(Token{Off: z.mark, Broken: true})
		}
		z.pop(Token{Off: z.mark})
		return
	}
	if len(z.levels) == 0 {
		z.tok = Token{Kind: End, Off: z.mark, Prefix: prefix, Name: name, Unopened: true}
		z.emit(&z.tok)
	}
}

// pop closes the innermost element.
func (z *Tokenizer) pop(t Token) {
	n := len(z.levels) - 1
	t.Kind, t.Depth = End, n
	z.named(&t, n)
	l := z.levels[n]
	z.tok = t
	z.levels, z.names, z.spaces = z.levels[:n], z.names[:l.name], z.spaces[:l.keep]
	z.emit(&z.tok)
}
