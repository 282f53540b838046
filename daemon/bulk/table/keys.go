package table

import (
	"bytes"
	"encoding/json"
	"io"
	"slices"
	"strings"
)

// ndjson finds out about a list of JSON values: it goes through all of them, because any may have a key that no other has.
func (in *inspection) ndjson(text []byte) error {
	in.l.Format = NDJSON
	if b := bytes.TrimLeft(text, " \t\r\n"); len(b) > 0 && b[0] == '[' {
		return &UnsupportedError{What: "a JSON array", Hint: "write one value a line, as with: jq -c '.[]'"}
	}
	in.l.Charset = either(in.l.Charset, utf8Name)
	k := &keyScan{limit: in.o.Limits.Columns, index: map[string]bool{}, paths: map[string]*pathStat{}}
	if err := k.scan(in.rest(), in.l); err != nil {
		return err
	}
	if k.lines == 0 {
		return ErrEmpty
	}
	if k.objects == 0 && k.strings == 0 {
		return &UnsupportedError{What: "not NDJSON: no line is a JSON object or string", Hint: "write one value a line, as with: jq -c"}
	}
	in.l.Columns, in.l.More = k.keys, k.more
	return in.pickKey(k)
}

// rest is the whole text of the input: the sample, and what comes behind it.
func (in *inspection) rest() io.Reader {
	var all io.Reader = bytes.NewReader(in.sample)
	if !in.whole {
		all = io.MultiReader(all, in.src)
	}
	return decoded(all, in.l.Charset)
}

// A keyScan collects the keys of a list of JSON objects.
type keyScan struct {
	limit   int
	index   map[string]bool
	keys    []string // In the order in which they appear.
	more    bool     // There are more than limit.
	lines   int
	objects int
	strings int
	paths   map[string]*pathStat // Of the first sampleRows objects.
	order   []*pathStat
}

// A pathStat is what is known of the values at one path of keys.
type pathStat struct {
	path         []string
	rows, likely int
}

func (k *keyScan) scan(text io.Reader, l Layout) error {
	rd := newTextReader(text, l)
	for {
		row, err := rd.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		k.lines++
		k.line(strings.TrimSpace(row.Raw))
	}
}

// line looks at one line. One that is not JSON, or whose text is not whole because it is too long, shows nothing.
func (k *keyScan) line(text string) {
	switch {
	case text == "" || !json.Valid([]byte(text)):
	case text[0] == '"':
		k.strings++
	case text[0] == '{':
		k.objects++
		for key := range members(text) {
			k.key(key)
		}
		if k.objects <= sampleRows {
			k.values(text, nil, 0)
		}
	}
}

func (k *keyScan) key(key string) {
	if k.index[key] {
		return
	}
	// A key with the name of a result is a column always, so that the result's column gets another name.
	if len(k.keys) >= k.limit && !slices.Contains(resultNames(), strings.ToLower(strings.TrimSpace(key))) {
		k.more = true
		return
	}
	k.index[key] = true
	k.keys = append(k.keys, key)
}

// values notes the strings of an object and of those in it.
func (k *keyScan) values(object string, path []string, depth int) {
	for key, value := range members(object) {
		at := append(slices.Clone(path), key)
		switch {
		case value[0] == '"':
			st := k.stat(at)
			st.rows++
			if looksLikeAddress(jsonText(value)) {
				st.likely++
			}
		case value[0] == '{' && depth < 3:
			k.values(value, at, depth+1)
		}
	}
}

func (k *keyScan) stat(path []string) *pathStat {
	id := strings.Join(path, "\x00")
	st := k.paths[id]
	if st == nil {
		st = &pathStat{path: path}
		if len(k.order) < 4096 {
			k.paths[id] = st
			k.order = append(k.order, st)
		}
	}
	return st
}

// pickKey finds the key of the addresses.
func (in *inspection) pickKey(k *keyScan) error {
	switch {
	case in.o.Column != "":
		path, ok := k.given(in.o.Column)
		if !ok && k.objects > 0 {
			return &ColumnError{Wanted: in.o.Column, Columns: in.described()}
		}
		in.setKey(path, ByOption)
		return nil
	case k.objects == 0:
		in.setKey([]string{"email"}, ByDefault)
		return nil
	}
	var best *pathStat
	var bestScore float64
	by := ByContent
	for _, st := range k.order {
		rank := nameRank(st.path[len(st.path)-1])
		c := candidate{share: float64(st.likely) / float64(st.rows), full: float64(st.likely) / float64(k.objects)}
		if score := columnScore(rank, c) - float64(len(st.path))/1000; c.full > 0 && score > bestScore {
			best, bestScore, by = st, score, ByContent
			if rank > 0 {
				by = ByName
			}
		}
	}
	if best != nil {
		in.setKey(best.path, by)
		return nil
	}
	if i := slices.IndexFunc(k.keys, func(key string) bool { return nameRank(key) == 2 }); i >= 0 {
		in.setKey(k.keys[i:i+1], ByName)
		return nil
	}
	return &ColumnError{Columns: in.described()}
}

// given is the path that a person means by name: a key, whatever the case, or keys joined by dots.
func (k *keyScan) given(name string) ([]string, bool) {
	for _, same := range []func(a, b string) bool{func(a, b string) bool { return a == b }, strings.EqualFold} {
		if i := slices.IndexFunc(k.keys, func(key string) bool { return same(key, name) }); i >= 0 {
			return []string{k.keys[i]}, true
		}
	}
	path := strings.Split(name, ".")
	return path, k.index[path[0]]
}

// setKey sets the path of the addresses, and the column in which it stands.
func (in *inspection) setKey(path []string, by string) {
	in.l.Key, in.l.ColumnBy = path, by
	in.l.Column = slices.Index(in.l.Columns, path[0])
	if in.l.Column < 0 { // Only strings, or a key that no object has.
		in.l.Columns = append(in.l.Columns, path[0])
		in.l.Column = len(in.l.Columns) - 1
	}
}
