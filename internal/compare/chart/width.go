package chart

import "strings"

// Charts are laid out with the widths of Helvetica, which Arial, Liberation Sans and Arimo share.
// Each text is written with the width it was laid out with, so that in another font it is neither
// cut at the edge nor runs over its neighbour.

// helvetica are the widths of the characters from space to tilde, in thousandths of the font's
// size: the values of Adobe's font metrics.
var helvetica = [...]int{
	278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, // space to /
	556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556, // 0 to ?
	1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778, // @ to O
	667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, // P to _
	333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, // ` to o
	556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584, // p to ~
}

// textWidth returns the width of s at that size, in the size's unit. Bold is a little wider.
func textWidth(s string, size float64, bold bool) float64 {
	sum := 0
	for _, r := range s {
		if i := int(r) - ' '; i >= 0 && i < len(helvetica) {
			sum += helvetica[i]
		} else {
			sum += 556 // as most letters; µ and the bullet are about that
		}
	}
	w := float64(sum) * size / 1000
	if bold {
		w *= 1.07
	}
	return w
}

// wrap cuts s between words into lines of at most that width. A longer word has a line of its own.
func wrap(s string, size, width float64) (lines []string) {
	line := ""
	for _, word := range strings.Fields(s) {
		longer := strings.TrimSpace(line + " " + word)
		if line != "" && textWidth(longer, size, false) > width {
			lines = append(lines, line)
			longer = word
		}
		line = longer
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}
