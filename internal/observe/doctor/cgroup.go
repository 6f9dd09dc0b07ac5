package doctor

import (
	"path"
	"slices"
	"strings"
)

// cgroups returns the directories of the control groups that limit this process in
// what controller governs, its own first, and whether they are of version 2. nil where
// there are none.
func (m *machine) cgroups(controller string) (dirs []string, v2 bool) {
	own, unified, found := "", "", false
	for line := range strings.Lines(m.read("/proc/self/cgroup")) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		switch {
		case len(part) != 3:
		case part[1] == "" && part[0] == "0":
			unified = part[2]
		case slices.Contains(strings.Split(part[1], ","), controller):
			own, found = part[2], true
		}
	}
	kind := "cgroup"
	if !found { // no hierarchy of version 1 has it
		kind, own = "cgroup2", unified
	}
	for _, mnt := range m.mounts() {
		has := kind == "cgroup2" || slices.Contains(strings.Split(mnt.options, ","), controller)
		if mnt.kind != kind || !has || own == "" {
			continue
		}
		// Inside a container the mount shows a part of the tree, and the path may begin at
		// the root of the whole tree.
		at := own
		if mnt.root != "/" {
			at = strings.TrimPrefix(own, mnt.root)
		}
		for at = path.Clean("/" + at); ; at = path.Dir(at) {
			dirs = append(dirs, path.Join(mnt.point, at))
			if at == "/" {
				return dirs, kind == "cgroup2"
			}
		}
	}
	return nil, false
}
