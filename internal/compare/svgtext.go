package compare

import (
	"fmt"
	"html"
	"regexp"
	"strconv"
	"strings"

	"gonum.org/v1/plot/font"
	"gonum.org/v1/plot/vg"
)

// The plots are laid out with the font of the plotting library. In another font on the reader's
// machine, text would be wider or narrower than the space for it: cut off at the edge, or over
// the next label.

// svgText matches a text as the library writes it.
var svgText = regexp.MustCompile(`<text (x="[^"]*" y="[^"]*" transform="[^"]*")\s+style="font-family:Liberation Serif;([^"]*)font-size:([0-9.]+)px([^"]*)">([^<]*)</text>`)

// fitText gives each text of a plot the width that it was laid out with, whatever font
// it is shown in.
func fitText(svg string) string {
	return svgText.ReplaceAllStringFunc(svg, func(text string) string {
		m := svgText.FindStringSubmatch(text)
		size, err := strconv.ParseFloat(m[3], 64)
		if err != nil {
			return text
		}
		return fmt.Sprintf(`<text %s textLength="%.4g" lengthAdjust="spacingAndGlyphs" style="font-family:'Liberation Serif','Times New Roman',serif;%sfont-size:%spx%s">%s</text>`,
			m[1], textWidth(html.UnescapeString(m[5]), size), m[2], m[3], m[4], m[5])
	})
}

// textWidth returns the width that the library computes for a text of that size, in points.
func textWidth(text string, size float64) float64 {
	face := font.DefaultCache.Lookup(font.Font{Typeface: "Liberation", Variant: "Serif"}, vg.Points(size))
	return face.Width(strings.TrimRight(text, "\n")).Points()
}
