package lists

import (
	"embed"
	"fmt"
	"strings"
)

//go:embed data/*.txt
var files embed.FS

// builtin is what is compiled in. It is never changed.
type builtin struct {
	domains map[string]kind
	roles   localNames
	noReply localNames

	versions map[string]Version // By list.
}

// domainLists are the built-in lists of domains. No name is on two of them.
var domainLists = [...]struct {
	list, file string
	kind       kind
}{
	{"privacy_relay", "data/relays.txt", relay},
	{"disposable", "data/disposable.txt", disposable},
	{"free_provider", "data/free.txt", free},
}

func readBuiltin() (*builtin, error) {
	b := &builtin{
		domains:  make(map[string]kind, 16_000),
		roles:    newLocalNames(),
		noReply:  newLocalNames(),
		versions: make(map[string]Version),
	}
	for _, l := range domainLists {
		if err := b.readDomains(l.list, l.file, l.kind); err != nil {
			return nil, err
		}
	}
	if err := b.readLocals("role", "data/roles.txt", b.roles); err != nil {
		return nil, err
	}
	if err := b.readLocals("no_reply", "data/noreply.txt", b.noReply); err != nil {
		return nil, err
	}
	return b, nil
}

// readDomains puts the names of file on the list of kind k. They are canonical, as a test makes sure.
func (b *builtin) readDomains(list, file string, k kind) error {
	v, names, err := readEmbedded(list, file)
	if err != nil {
		return err
	}
	for _, name := range names {
		if isPublicSuffix(name) { // It has become one since the list was made.
			v.Ignored = append(v.Ignored, name)
			continue
		}
		b.domains[name] |= k
	}
	v.Names = len(names) - len(v.Ignored)
	b.versions[list] = v
	return nil
}

func (b *builtin) readLocals(list, file string, into localNames) error {
	v, names, err := readEmbedded(list, file)
	if err != nil {
		return err
	}
	for _, name := range names {
		if err := into.add(name, true); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	v.Names = len(names)
	b.versions[list] = v
	return nil
}

// readEmbedded reads one of our own files: provenance on top, then a name per line.
func readEmbedded(list, file string) (Version, []string, error) {
	content, err := files.ReadFile(file)
	if err != nil {
		return Version{}, nil, err
	}
	v := Version{List: list}
	var names []string
	for line := range strings.Lines(string(content)) {
		name, comment, _ := strings.Cut(line, "#")
		if name = strings.TrimSpace(name); name != "" {
			names = append(names, name)
			continue
		}
		key, value, _ := strings.Cut(strings.TrimSpace(comment), ": ")
		switch key {
		case "source":
			v.Source = value
		case "date":
			v.Date = value
		case "licence":
			v.Licence = value
		}
	}
	if v.Source == "" || v.Date == "" || v.Licence == "" || len(names) == 0 {
		return Version{}, nil, fmt.Errorf("%s lacks its provenance or its names", file)
	}
	return v, names, nil
}
