package config

import (
	"reflect"
	"strings"
)

// referenceHead opens docs/configuration.md.
const referenceHead = `# Configuration

<!-- Generated from the config package by "go generate ./config"; edit there. -->

verimaild reads one YAML file. [verimaild.yaml](../verimaild.yaml) shows every key with its default; each can be left
out, and so can the whole file.

## Where values come from

Later wins:

1. the defaults below;
2. the file: the one that ` + "`--config`" + ` names, or else the variable ` + "`VERIMAILD_CONFIG`" + `, and it must exist then; otherwise
   the first that exists of ` + "`/etc/verimaild/verimaild.yaml`" + ` and ` + "`$XDG_CONFIG_HOME/verimaild/verimaild.yaml`" + `
   (` + "`~/.config/verimaild/verimaild.yaml`" + `);
3. the environment: ` + "`VERIMAILD_`" + ` and the key in capitals, with underscores for dots, so ` + "`VERIMAILD_EGRESS_SENDER`" + `
   for ` + "`egress.sender`" + `. Lists have commas between their items. A variable that is empty sets the empty value. Lists
   of sections (` + "`egress.sources`" + `, ` + "`replies`" + `) stand only in the file.

` + "`VERIMAILD_CONFIG`" + ` and ` + "`VERIMAILD_SOCKET`" + ` (the socket that the client commands use) are no keys. Any other
variable that begins with ` + "`VERIMAILD_`" + ` and fits no key is a fault, as is a key that does not exist.

Without a file the daemon starts, and answers from syntax, its lists and DNS. To ask mail servers it needs
` + "`egress.sender`" + `.

## How values are written

- Durations have a unit: ` + "`500ms`" + `, ` + "`90s`" + `, ` + "`15m`" + `, ` + "`24h`" + `. A bare number is refused, but for 0.
- A limit of 0 is lifted.
- Relative paths begin at the file's directory, and in variables at the working directory.
- One document, UTF-8, spaces for indentation, at most 1 MiB. Anchors, aliases and tags are not read.

## What is wrong

` + "`verimaild config check`" + ` names all faults at once, each with its place, as ` + "`serve`" + ` and a reload do:

` + "```" + `
verimaild.yaml:4:3: egress.sendr: unknown key (did you mean "sender"?)
verimaild.yaml:9:13: egress.limits.idle: "15" has no unit: write 15s, 15m or 15h
environment VERIMAILD_LOG_LEVEL: log.level: "inf" is not one of debug, info, warn, error (did you mean "info"?)
` + "```" + `

A reload with a fault changes nothing.

## Changes

SIGHUP (` + "`systemctl reload verimaild`" + `) reads the file again. *Live* keys are applied; for the others the daemon says
that they need a restart. ` + "`verimaild config print`" + ` shows every key with the value it gets.

## Keys
`

// Reference is docs/configuration.md: how the configuration is found and read, and each key.
func Reference() []byte {
	var b strings.Builder
	b.WriteString(referenceHead)
	defaults := reflect.ValueOf(Default(true, nil)).Elem()
	told := map[reflect.Type]bool{}
	for _, k := range tree().keys {
		k.refer(&b, "###", defaults.Field(k.index), told)
	}
	return []byte(b.String())
}

// refer writes what there is to know about k, whose default is v, and about the keys below it. In a list, the keys of a
// type in told have been explained before.
func (k *key) refer(b *strings.Builder, heading string, v reflect.Value, told map[reflect.Type]bool) {
	b.WriteString("\n" + heading + " `" + k.plainPath() + "`\n\n" + strings.ReplaceAll(k.doc(), "<", `\<`) + "\n")
	switch k.shape {
	case section:
		if k.list && told[k.typ] {
			return
		}
		told[k.typ] = true
		for _, c := range k.keys {
			c.refer(b, "####", v.Field(c.index), told)
		}
	case sections:
		b.WriteString("\nA list of sections, empty by default. " + k.change() + "\n")
		for _, c := range k.keys {
			c.refer(b, "####", reflect.Zero(k.typ).Field(c.index), told)
		}
	default:
		b.WriteString("\n" + k.facts(v) + "\n")
	}
}

// facts are a key's type, range, default, variable and what a change needs, in one line.
func (k *key) facts(v reflect.Value) string {
	parts := []string{k.typeName()}
	if text, ok := k.text(v); ok && !k.list {
		parts = append(parts, "default `"+text+"`")
	}
	if k.host != "" {
		parts = append(parts, strings.ToLower(k.host[:1])+strings.TrimSuffix(k.host[1:], "."))
	}
	if !k.list {
		parts = append(parts, "`"+variable(k.path)+"`")
	}
	line := capital(strings.Join(parts, "; ")) + "."
	if !k.list {
		line += " " + k.change()
	}
	return line
}

// typeName is what values k has, in words.
func (k *key) typeName() string {
	s := k.scalar.name
	if k.isPath {
		s = "path"
	}
	if k.shape == values {
		s = "list of " + s + "s"
	}
	if k.enum != nil {
		s = "`" + strings.Join(k.enum, "`, `") + "`"
	}
	if k.bounds != nil {
		s += ", " + k.allowed()
	}
	return s
}

// change says what it takes to apply a new value.
func (k *key) change() string {
	if k.reload == reloadLive {
		return "Live."
	}
	return "Needs a restart."
}
