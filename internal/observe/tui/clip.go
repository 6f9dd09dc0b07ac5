package tui

import "strconv"

// clipNames returns what to show for each name. Names longer than width are cut in the middle;
// those that would look the same are cut around the place where they differ, and numbered if
// that is not enough, so that no two look the same. Names are ASCII.
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
	clipDistinct(long, shown, func(name string) string { return clipMiddle(name, width) }, width)
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

// clipDistinct cuts the names, and those that look the same after that once more, around their
// first difference. Each time at least one of a group becomes distinct.
func clipDistinct(names []string, shown map[string]string, cut func(name string) string, width int) {
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
		clipDistinct(group, shown, func(name string) string { return clipAround(name, at, width) }, width)
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

// clipMiddle keeps the beginning and the end of a name, and more of the end.
func clipMiddle(name string, width int) string {
	if len(name) <= width || width < 2 {
		return name[:min(len(name), width)]
	}
	tail := width / 2
	return name[:width-1-tail] + ellipsis + name[len(name)-tail:]
}

// clipAround keeps the part of a name around index at, from 0 to its length.
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
