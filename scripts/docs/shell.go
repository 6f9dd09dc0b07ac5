package main

import (
	"fmt"
	"strings"

	"mvdan.cc/sh/v3/syntax"
)

// statement is a command of a block, with all that belongs to it: pipes, here-documents, comments.
type statement struct {
	line int
	text string
}

// String returns what a reader sees of it, in one line.
func (s statement) String() string {
	text, _, more := strings.Cut(strings.TrimSpace(s.text), "\n")
	if more {
		text += " ..."
	}
	return text
}

// statements parses a block of shell commands. Only statements that stand by themselves are
// returned: those within a loop, or joined by && are one.
func (b block) statements(path string) ([]statement, error) {
	file, err := syntax.NewParser(syntax.Variant(syntax.LangBash)).Parse(strings.NewReader(b.text), "")
	if err != nil {
		return nil, fmt.Errorf("%s: block at line %d: %w", path, b.line, err)
	}
	var out []statement
	for i, s := range file.Stmts {
		end := len(b.text)
		if i+1 < len(file.Stmts) {
			end = int(file.Stmts[i+1].Pos().Offset())
		}
		start := s.Pos()
		out = append(out, statement{b.line + int(start.Line()) - 1, b.text[start.Offset():end]})
	}
	return out, nil
}
