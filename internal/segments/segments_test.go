package segments

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestCompare_NaturalOrder(t *testing.T) {
	want := strings.Fields("1 2 10 a a001 a01 a1 a2 a2b a2b1 a2b10 a10 a10b b pair-1 pair-2 pair-10 pair-18446744073709551615 pair-18446744073709551616 pair-x")
	got := slices.Clone(want)
	slices.Sort(got)
	slices.SortFunc(got, Compare)
	if !slices.Equal(got, want) {
		t.Errorf("\n%q, want\n%q", got, want)
	}
	for _, a := range want {
		for _, b := range want {
			if Compare(a, b) != -Compare(b, a) || (Compare(a, b) == 0) != (a == b) {
				t.Errorf("%q and %q: %d, %d", a, b, Compare(a, b), Compare(b, a))
			}
		}
	}
}

func TestNames_OwnSegmentsFirst(t *testing.T) {
	var names []string
	for uid, n := range map[int]int{7: 3, 8: 20_000, 9: 2, 10: 5} {
		for i := range n {
			names = append(names, fmt.Sprintf("%d-%d", uid, i))
		}
	}
	owner := func(name string) (uid int) { fmt.Sscanf(name, "%d-", &uid); return uid }
	for _, c := range []struct {
		n    int
		want string
	}{
		{0, ""},
		{2, "7-0 7-1"},
		{4, "7-0 7-1 7-2 8-0"},
		{11, "7-0 7-1 7-2 8-0 9-0 10-0 8-1 9-1 10-1 8-2 10-2"},
		{17, "7-0 7-1 7-2 8-0 9-0 10-0 8-1 9-1 10-1 8-2 10-2 8-3 10-3 8-4 10-4 8-5 8-6"},
	} {
		if got := strings.Join(chooseFairly(names, c.n, 7, owner), " "); got != c.want {
			t.Errorf("%d of them: %s, want %s", c.n, got, c.want)
		}
	}
	if got := chooseFairly(names, len(names)+10, 7, owner); len(got) != len(names) {
		t.Errorf("%d of %d", len(got), len(names))
	}
	if got := chooseFairly(names, 3, 8, owner); !slices.Equal(got, []string{"8-0", "8-1", "8-2"}) {
		t.Errorf("%q", got)
	}
}
