package config

import (
	"embed"
	"go/ast"
	"go/parser"
	"go/token"
	"strings"
	"sync"
)

// sources are the files of the tree. Their comments are the documentation of the keys, so that Go's reader and the
// operator read the same words; see docs/adr/0009-configuration.md.
//
//go:embed tree.go egress.go limits.go memory.go apps.go metrics.go socketmap.go preflight.go bulk.go
var sources embed.FS

// comments are the comments of the tree's fields, by "Struct.Field". Line breaks within a paragraph are spaces.
var comments = sync.OnceValue(func() map[string]string {
	found := map[string]string{}
	files, err := sources.ReadDir(".")
	if err != nil {
		panic("config: embedded sources: " + err.Error())
	}
	for _, f := range files {
		text, err := sources.ReadFile(f.Name())
		if err != nil {
			panic("config: embedded sources: " + err.Error())
		}
		file, err := parser.ParseFile(token.NewFileSet(), f.Name(), text, parser.ParseComments)
		if err != nil {
			panic("config: embedded sources: " + err.Error())
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if t, ok := n.(*ast.TypeSpec); ok {
				addComments(found, t)
			}
			return true
		})
	}
	return found
})

// addComments adds those of one struct's fields.
func addComments(found map[string]string, t *ast.TypeSpec) {
	s, ok := t.Type.(*ast.StructType)
	if !ok {
		return
	}
	for _, f := range s.Fields.List {
		for _, name := range f.Names {
			found[t.Name.Name+"."+name.Name] = strings.Join(strings.Fields(f.Doc.Text()), " ")
		}
	}
}

// doc is what is said about k.
func (k *key) doc() string { return comments()[k.field] }
