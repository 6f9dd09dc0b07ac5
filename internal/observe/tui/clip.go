package tui

import "strconv"

// clipNames cuts names that are longer than width in their middle, and returns what to
// show by name. Those that would look alike are cut around the place where they differ,
// and numbered where that is not enough, so that no two are shown as one. Names are
// ASCII.
func clipNames(names []string, width int) map[string]string {
	shown := map[string]string{}
	var long []string
	for _, name := range names {
		if len(name) <= width {
			shown[name] = name
		} else {
			long = append(long, name)
		}
	}
	clipApart(long, shown, func(name string) string { return clipMiddle(name, width) }, width)
	used := map[string]bool{}
	for _, name := range long {
		text := shown[name]
		for n := 2; used[text]; n++ {
			number := "#" + strconv.Itoa(n)
			runes := []rune(shown[name])
			text = string(runes[:max(0, min(len(runes), width-len(number)))]) + number
		}
		shown[name], used[text] = text, true
	}
	return shown
}

// clipApart cuts the names, and once more, around their first difference, those that
// the first cut has made alike. Each time at least one of a group gets apart.
func clipApart(names []string, shown map[string]string, cut func(name string) string, width int) {
	alike := map[string][]string{}
	for _, name := range names {
		alike[cut(name)] = append(alike[cut(name)], name)
	}
	for text, group := range alike {
		if len(group) == 1 || width < 4 {
			for _, name := range group {
				shown[name] = text
			}
			continue
		}
		at := commonPrefix(group)
		clipApart(group, shown, func(name string) string { return clipAround(name, at, width) }, width)
	}
}

func commonPrefix(names []string) int {
	n := len(names[0])
	for _, name := range names[1:] {
		n = min(n, len(name))
		for i := range n {
			if name[i] != names[0][i] {
				n = i
				break
			}
		}
	}
	return n
}

const ellipsis = "…" // one column

// clipMiddle keeps the beginning and the end of a name, of which the end tells more.
func clipMiddle(name string, width int) string {
	if len(name) <= width || width < 2 {
		return name[:min(len(name), width)]
	}
	tail := width / 2
	return name[:width-1-tail] + ellipsis + name[len(name)-tail:]
}

// clipAround keeps what is around the place at, which is in the name or at its end.
func clipAround(name string, at, width int) string {
	start := max(0, at-(width-2)/2)
	before := ""
	if start > 0 {
		before = ellipsis
		width--
	}
	if rest := name[start:]; len(rest) > width {
		return before + rest[:width-1] + ellipsis
	}
	return before + name[start:]
}
