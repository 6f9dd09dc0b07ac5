package cli

import (
	"strings"
	"testing"

	urfave "github.com/urfave/cli/v2"
)

// What is text in the tables of --help is text in the page: no macro, no escape, and
// hyphens that can be copied.
func TestManPage_Escapes(t *testing.T) {
	a := App{
		Name: "pump", Usage: "move a - b, with --force",
		About:    ".so is a word here, and a \\fB is one too. 'Quoted' as well.\n\nA second paragraph.",
		Examples: []string{"pump --name 'a b' ~/x  what -x does", "pump"},
		Flags: []urfave.Flag{
			&urfave.BoolFlag{Name: "dry-run", Usage: "do nothing"},
			&urfave.GenericFlag{Name: "level", Aliases: []string{"l"}, Value: &integer{3, 0, 9}, Usage: "`N` of 10"},
			&urfave.BoolFlag{Name: versionFlag, Usage: "print the version"},
		},
	}
	var b strings.Builder
	if err := a.printMan(&b); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, want := range []string{
		"\n.SH NAME\npump \\- move a \\- b, with \\-\\-force\n",
		"\n.SH SYNOPSIS\n.nf\n\\fBpump\\fR [options]\n.fi\n",
		"\n.SH DESCRIPTION\n\\&.so is a word here, and a \\efB is one too. 'Quoted' as well.\n.PP\nA second paragraph.\n",
		"\n.TP\n\\fB\\-\\-dry\\-run\\fR\ndo nothing\n",
		"\n.TP\n\\fB\\-\\-level\\fR, \\fB\\-l\\fR \\fIN\\fR\nN of 10 (default: 3)\n",
		"\n.TP\n\\fBpump \\-\\-name \\(aqa b\\(aq \\(ti/x\\fR\nWhat \\-x does.\n",
		"\n.TP\n\\fBpump\\fR\n\\&\n",
		"\\fBSLUICE_DRY_RUN\\fR, \\fBSLUICE_LEVEL\\fR.",
		"\n\\fBconsumer\\fR(1), \\fBgauge\\fR(1), \\fBproducer\\fR(1), \\fBsluice\\-bridge\\fR(1),\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("no %q in:\n%s", want, page)
		}
	}
	for line := range strings.Lines(page) {
		if len(line) > 81 && !strings.HasPrefix(line, ".") {
			t.Errorf("a line of %d bytes: %s", len(line), line)
		}
	}
}
