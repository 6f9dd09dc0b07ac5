// Package segments chooses which segments a command shows, and in which order: [shm.List] has
// them all, whoever made them.
package segments

import (
	"cmp"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"sluice/shm"
)

// Max is how many segments are observed at once. Anybody may put files into /dev/shm, and an
// observer holds a descriptor and a mapping for each.
const Max = 256

// limit returns Max, or fewer where the process may not have so many descriptors: some are left
// for the rest of it.
func limit() int {
	const rest = 16
	var files unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) != nil {
		return Max
	}
	return int(max(1, min(Max, int64(min(files.Cur, 1<<32))-rest)))
}

// Names returns the names of at most Max segments, in natural order, and how many more there are:
// of those that match one of the patterns, or of all without a pattern. This user's own come first,
// then those of the other users in turn, so that one user's files do not hide another's. The error
// is for a /dev/shm that cannot be listed.
func Names(patterns ...string) (names []string, omitted int, err error) {
	if names, err = shm.List(); err != nil {
		return nil, 0, err
	}
	if len(patterns) > 0 {
		names = slices.DeleteFunc(names, func(name string) bool { return !Match(patterns, name) })
	}
	n := limit()
	if omitted = len(names) - n; omitted > 0 {
		names = chooseFairly(names, n, os.Geteuid(), owner)
	}
	slices.SortFunc(names, Compare)
	return names, max(0, omitted), nil
}

// Match reports whether the name matches one of the patterns of [shm.Match].
func Match(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool { return shm.Match(pattern, name) })
}

// owner returns the user who owns a segment's file, -1 when there is none any more.
func owner(name string) int {
	var st unix.Stat_t
	if unix.Lstat(shm.Path(name), &st) != nil {
		return -1
	}
	return int(st.Uid)
}

// chooseFairly returns at most n of the names: those of user me, then one of each other
// user in turn.
func chooseFairly(names []string, n, me int, owner func(name string) int) []string {
	of := map[int][]string{}
	for _, name := range names {
		uid := owner(name)
		of[uid] = append(of[uid], name)
	}
	var users []int
	for uid, all := range of {
		slices.SortFunc(all, Compare)
		if uid != me {
			users = append(users, uid)
		}
	}
	slices.Sort(users)
	chosen := of[me][:min(n, len(of[me]))]
	for i := 0; len(chosen) < n && len(users) > 0; i++ {
		users = slices.DeleteFunc(users, func(uid int) bool { return i == len(of[uid]) })
		for _, uid := range users[:min(len(users), n-len(chosen))] {
			chosen = append(chosen, of[uid][i])
		}
	}
	return chosen
}

// Compare orders names as people do: numbers in them by their value, so that pair-2
// comes before pair-10. Names of equal value are in the order of their bytes.
func Compare(a, b string) int {
	x, y := a, b
	for x != "" && y != "" {
		m, n := leadingDigits(x), leadingDigits(y)
		if m > 0 && n > 0 {
			// Without leading zeros the longer number is the greater one.
			v, w := strings.TrimLeft(x[:m], "0"), strings.TrimLeft(y[:n], "0")
			if c := cmp.Or(cmp.Compare(len(v), len(w)), cmp.Compare(v, w)); c != 0 {
				return c
			}
			x, y = x[m:], y[n:]
			continue
		}
		if x[0] != y[0] {
			return cmp.Compare(x[0], y[0])
		}
		x, y = x[1:], y[1:]
	}
	return cmp.Or(cmp.Compare(len(x), len(y)), cmp.Compare(a, b))
}

// leadingDigits returns how many digits s begins with.
func leadingDigits(s string) int {
	return len(s) - len(strings.TrimLeft(s, "0123456789"))
}
