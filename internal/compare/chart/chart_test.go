package chart

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"math"
	"regexp"
	"strings"
	"testing"
)

var names = []string{"hard", "credit", "soft plain", "soft packed", "soft recycled"}

// note is as long as they get.
const note = "20,000 messages of 1 KiB are due a second, 20 at a time; the consumer needs 100 µs for each, so it falls behind; for 8 s, soft until its limit of 64 MiB"

// drawn returns a chart of each kind, with names and labels as long as they get. Lines end in one
// place, or in different ones.
func drawn(t *testing.T, together bool) map[string]Chart {
	t.Helper()
	lines := Lines{Title: "Overload: response", Notes: []string{note}, X: Axis{Label: "seconds since the start"}, Y: Axis{Label: "response, s"}, Bands: []Band{{3, 3.4, "consumer stopped"}}}
	sizes := Lines{Title: "Full speed: payload against message size", Notes: []string{note}, X: Axis{Label: "message size", Log: true, Ticks: []Tick{{8, "8 B"}, {64, "64 B"}, {1 << 20, "1 MiB"}}}, Y: Axis{Label: "payload a second", Log: true}}
	dots := Dots{Title: "What latency shows, and what it hides", Notes: []string{note}, X: Axis{Label: "p99", Log: true}, HollowName: "latency", SolidName: "response"}
	bars := Bars{Title: "Where the messages waited", Notes: []string{note}, FirstName: "in front of the producer", SecondName: "in the queue"}
	var dotRows []DotRow
	var barRows []BarRow
	for i, name := range names {
		until := 100
		if !together {
			until -= 20 * i
		}
		l := Line{Name: name, Class: Class(i)}
		for x := range until {
			y := float64(x)
			if x > 40 && x < 50 {
				y = math.NaN()
			}
			l.Points = append(l.Points, Point{float64(x) / 10, y})
		}
		lines.Lines = append(lines.Lines, l)
		s := Line{Name: name, Class: Class(i), Dots: true}
		for _, x := range []float64{8, 64, 1 << 20} {
			s.Points = append(s.Points, Point{x, x * float64(100+i)})
		}
		s.Hollow = s.Points[:1]
		sizes.Lines = append(sizes.Lines, s)
		dotRows = append(dotRows, DotRow{name, Class(i), 1e-6 * math.Pow(10, float64(i)), 10, "100 ms", "811 ms*"}, DotRow{name, Class(i), 10, 10, "", "811 ms*"})
		barRows = append(barRows, BarRow{name, Class(i), float64(i) * 40_000, 86_541, "160,000 + 64"})
	}
	for range 6 {
		dots.Groups = append(dots.Groups, Group[DotRow]{"A consumer with time to spare", note, dotRows})
		bars.Groups = append(bars.Groups, Group[BarRow]{"A consumer with time to spare", note, barRows})
	}
	all := map[string]Chart{}
	for name, draw := range map[string]func() (Chart, bool){"lines": lines.Draw, "sizes": sizes.Draw, "dots": dots.Draw, "bars": bars.Draw} {
		c, ok := draw()
		if !ok {
			t.Fatalf("%s: nothing drawn", name)
		}
		all[name] = c
	}
	return all
}

// In whatever font it is shown: texts are inside, and not over each other.
func TestCharts_TextWhole(t *testing.T) {
	for _, together := range []bool{true, false} {
		for name, c := range drawn(t, together) {
			svg := string(c.SVG)
			n := strings.Count(svg, "<text ")
			if n < 8 || strings.Count(svg, " textLength=") != n || strings.Count(svg, `lengthAdjust="spacingAndGlyphs"`) != n {
				t.Errorf("%s: %d texts, %d with a width", name, n, strings.Count(svg, " textLength="))
			}
			height := viewBox(t, svg)
			for i, a := range c.texts {
				if a.left < 0 || a.right > Width || a.top < 0 || a.bottom > height {
					t.Errorf("%s: %q is cut: %+v", name, a.text, a)
				}
				for _, b := range c.texts[:i] {
					if a.overlaps(b) {
						t.Errorf("%s: %q and %q overlap", name, a.text, b.text)
					}
				}
			}
		}
	}
}

func viewBox(t *testing.T, svg string) (height float64) {
	t.Helper()
	var width float64
	m := regexp.MustCompile(`viewBox="0 0 (\S+) (\S+)"`).FindStringSubmatch(svg)
	if _, err := fmt.Sscan(m[1]+" "+m[2], &width, &height); err != nil || width != Width {
		t.Fatal(m, err)
	}
	return height
}

// What is compared is named where it is, each in its colour, and not in a legend.
func TestCharts_LabelledDirectly(t *testing.T) {
	for name, c := range drawn(t, true) {
		for i, model := range names {
			if want := regexp.MustCompile(`class="sc-f` + fmt.Sprint(i) + `"[^>]*>` + model + `</text>`); !want.Match(c.SVG) {
				t.Errorf("%s: no %s in its colour", name, model)
			}
		}
	}
	for name, words := range map[string][]string{"lines": {"seconds since the start", "response, s", "consumer", "stopped"}, "dots": {"latency 100 ms", "response 811 ms*", "p99"}, "bars": {"in front of the producer", "in the queue", "160,000 + 64"}, "sizes": {"1 MiB", "payload a second"}} {
		for _, w := range words {
			if svg := drawn(t, true)[name].SVG; !bytes.Contains(svg, []byte(">"+w+"</text>")) {
				t.Errorf("%s: no %q", name, w)
			}
		}
	}
}

// A document that loads nothing, in the reader's colours, legible at the width of a phone.
func TestCharts_Document(t *testing.T) {
	for name, c := range drawn(t, false) {
		if err := xml.Unmarshal(c.SVG, new(struct{ XMLName xml.Name })); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		svg := string(c.SVG)
		for _, want := range []string{"prefers-color-scheme:dark", `role="img"`, "aria-label=", "<title>"} {
			if !strings.Contains(svg, want) {
				t.Errorf("%s: no %q", name, want)
			}
		}
		for _, bad := range []string{"NaN", "Inf", "%!", "href", "@import"} {
			if strings.Contains(svg, bad) {
				t.Errorf("%s: %q", name, bad)
			}
		}
		const phone = 390 - 2*16 // the page's margins
		for _, m := range regexp.MustCompile(`font-size="(\S+?)"`).FindAllStringSubmatch(svg, -1) {
			var size float64
			if fmt.Sscan(m[1], &size); size*phone/Width < 9 {
				t.Errorf("%s: text of %v pixels on a phone", name, size*phone/Width)
			}
		}
	}
}

func TestCharts_NothingToDraw(t *testing.T) {
	if _, ok := (&Lines{Lines: []Line{{Name: "hard", Points: []Point{{1, math.NaN()}}}}}).Draw(); ok {
		t.Error("a chart without a point")
	}
	if _, ok := (&Dots{Groups: []Group[DotRow]{{Rows: []DotRow{{Hollow: math.NaN(), Solid: math.NaN()}}}}}).Draw(); ok {
		t.Error("a chart without a dot")
	}
	if _, ok := (&Bars{Groups: []Group[BarRow]{{Rows: []BarRow{{}}}}}).Draw(); ok {
		t.Error("a chart without a bar")
	}
}

func TestAxis_RoundNumbersWithinRange(t *testing.T) {
	for _, high := range []float64{0, 1e-9, 0.3, 1, 7.3, 99, 412, 2.6e9} {
		a := Axis{}
		a.fit([]float64{high})
		ticks := a.ticks()
		if n := len(ticks); n < 3 || n > 8 || ticks[0].At != 0 || ticks[n-1].At > a.Max*1.001 || a.Max < high {
			t.Errorf("up to %v: %+v", high, ticks)
		}
	}
	a := Axis{Log: true}
	a.fit([]float64{3e-6, 2.6})
	if a.Min > 3e-6 || a.Max < 2.6 || len(a.ticks()) != 8 {
		t.Errorf("%+v %+v", a, a.ticks())
	}
}

func TestWrap_BetweenWords(t *testing.T) {
	lines := wrap(note, noteSize, 380)
	if strings.Join(lines, " ") != note || len(lines) < 2 {
		t.Errorf("%q", lines)
	}
	for _, l := range lines {
		if textWidth(l, noteSize, false) > 380 {
			t.Errorf("%q is too wide", l)
		}
	}
	if w := textWidth("Throughput", 12, false); w < 55 || w > 65 { // 5003 thousandths of 12
		t.Errorf("%v", w)
	}
}
