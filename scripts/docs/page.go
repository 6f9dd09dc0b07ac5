package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"
	"unicode"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/ast"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/text"
)

// page is what this program uses of a Markdown page.
type page struct {
	path    string
	blocks  []block
	spans   []span
	links   []span
	anchors map[string]bool // of its headings, as GitHub names them
}

// block is a fenced block of code that is run, or is annotated.
type block struct {
	annotation
	line int // number of the first line of text in the page
	text string
}

// span is code within a sentence, or the destination of a link.
type span struct {
	line int
	text string
}

// readPage reads a page. An annotation that is not valid is an error.
func readPage(path string) (*page, error) {
	source, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return parsePage(path, source)
}

func parsePage(path string, source []byte) (*page, error) {
	r := reader{page: page{path: path, anchors: map[string]bool{}}, source: source}
	doc := goldmark.New(goldmark.WithExtensions(extension.GFM)).Parser().Parse(text.NewReader(source))
	err := ast.Walk(doc, func(n ast.Node, entering bool) (ast.WalkStatus, error) {
		if !entering {
			return ast.WalkContinue, nil
		}
		return ast.WalkContinue, r.visit(n)
	})
	return &r.page, err
}

type reader struct {
	page
	source []byte
}

func (r *reader) lineAt(offset int) int { return 1 + bytes.Count(r.source[:offset], []byte("\n")) }

func (r *reader) visit(n ast.Node) error {
	switch n := n.(type) {
	case *ast.HTMLBlock:
		return r.visitComment(n)
	case *ast.FencedCodeBlock:
		return r.visitCode(n)
	case *ast.Heading:
		r.addAnchor(string(textOf(n, r.source)))
	case *ast.CodeSpan:
		if first, ok := n.FirstChild().(*ast.Text); ok {
			r.spans = append(r.spans, span{r.lineAt(first.Segment.Start), string(textOf(n, r.source))})
		}
	case *ast.Link:
		r.links = append(r.links, span{r.lineNear(n), string(n.Destination)})
	case *ast.Image:
		r.links = append(r.links, span{r.lineNear(n), string(n.Destination)})
	}
	return nil
}

// lineNear returns the line of the first text in a link, or of the block that it is in.
func (r *reader) lineNear(n ast.Node) int {
	for c := n.FirstChild(); c != nil; c = c.FirstChild() {
		if t, ok := c.(*ast.Text); ok {
			return r.lineAt(t.Segment.Start)
		}
	}
	for n.Type() == ast.TypeInline {
		n = n.Parent()
	}
	return r.lineAt(n.Lines().At(0).Start)
}

func (r *reader) visitCode(n *ast.FencedCodeBlock) error {
	if n.Lines().Len() == 0 {
		return nil
	}
	b := block{line: r.lineAt(n.Lines().At(0).Start), text: string(n.Lines().Value(r.source))}
	comment, isAnnotated := annotationOf(n.PreviousSibling(), r.source)
	if _, isHidden := hidden(comment); isHidden {
		isAnnotated = false // those commands are a block of their own
	}
	if isAnnotated {
		var err error
		if b.annotation, err = parseAnnotation(comment); err != nil {
			return fmt.Errorf("%s:%d: annotation of the block: %w", r.path, b.line, err)
		}
	}
	switch isCommands := string(n.Language(r.source)) == "sh"; {
	case isCommands, b.file != "":
		r.blocks = append(r.blocks, b)
	case isAnnotated:
		return fmt.Errorf("%s:%d: annotation of a block that is neither sh nor a file", r.path, b.line)
	}
	return nil
}

func (r *reader) visitComment(n *ast.HTMLBlock) error {
	comment, ok := annotationOf(n, r.source)
	if !ok {
		return nil
	}
	line := r.lineAt(n.Lines().At(0).Start)
	if commands, is := hidden(comment); is {
		r.blocks = append(r.blocks, block{line: line + 1, text: commands + "\n"})
		return nil
	}
	if next := n.NextSibling(); next == nil || next.Kind() != ast.KindFencedCodeBlock {
		return fmt.Errorf("%s:%d: annotation before no block of code", r.path, line)
	}
	return nil
}

// hidden returns the commands in an annotation that has some.
func hidden(words string) (commands string, ok bool) { return strings.CutPrefix(words, "hidden\n") }

// annotationOf returns the text of a comment that is an annotation.
func annotationOf(n ast.Node, source []byte) (words string, ok bool) {
	comment, ok := n.(*ast.HTMLBlock)
	if !ok {
		return "", false
	}
	html := string(comment.Lines().Value(source))
	if comment.HasClosure() {
		html += string(comment.ClosureLine.Value(source))
	}
	html, ok = strings.CutPrefix(strings.TrimSpace(html), "<!--")
	if !ok {
		return "", false
	}
	html = strings.TrimSpace(strings.TrimSuffix(html, "-->"))
	words, ok = strings.CutPrefix(html, annotationStart)
	return strings.TrimSpace(words), ok
}

// textOf returns the text of a heading or a code span, without the markup in it.
func textOf(n ast.Node, source []byte) (out []byte) {
	for c := n.FirstChild(); c != nil; c = c.NextSibling() {
		switch c := c.(type) {
		case *ast.Text:
			out = append(out, c.Segment.Value(source)...)
			if c.SoftLineBreak() {
				out = append(out, ' ')
			}
		case *ast.String:
			out = append(out, c.Value...)
		default:
			out = append(out, textOf(c, source)...)
		}
	}
	return bytes.ReplaceAll(out, []byte("\n"), []byte(" "))
}

// addAnchor adds the anchor that GitHub gives to a heading; the second of one name gets -1.
func (r *reader) addAnchor(heading string) {
	anchor := strings.Map(func(c rune) rune {
		switch {
		case c == ' ':
			return '-'
		case unicode.IsLetter(c), unicode.IsDigit(c), c == '-', c == '_':
			return unicode.ToLower(c)
		}
		return -1
	}, heading)
	unique := anchor
	for i := 1; r.anchors[unique]; i++ {
		unique = fmt.Sprintf("%s-%d", anchor, i)
	}
	r.anchors[unique] = true
}
