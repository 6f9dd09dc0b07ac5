package doctor

import (
	"slices"
	"strings"
	"testing"
)

// The ways in which control groups are laid out.
const (
	newGroups = "31 22 0:28 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw"
	oldGroups = "32 31 0:29 / /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct\n33 31 0:30 / /cg/memory rw - cgroup cgroup rw,memory\n34 31 0:31 / /cg/unified rw - cgroup2 cgroup2 rw"
	inDocker  = "33 31 0:30 /docker/abc /cg/memory ro - cgroup cgroup rw,memory"
)

func TestCgroup_Groups(t *testing.T) {
	for _, row := range []struct {
		name, mounts, own, controller string
		want                          string
		v2                            bool
	}{
		{"one hierarchy", newGroups, "0::/a.slice/b.scope", "cpu", "/sys/fs/cgroup/a.slice/b.scope /sys/fs/cgroup/a.slice /sys/fs/cgroup", true},
		{"a container's own root", newGroups, "0::/", "cpu", "/sys/fs/cgroup", true},
		{"a hierarchy each", oldGroups, "4:memory:/x/y\n3:cpu,cpuacct:/z\n0::/", "memory", "/cg/memory/x/y /cg/memory/x /cg/memory", false},
		{"two in one", oldGroups, "4:memory:/x/y\n3:cpu,cpuacct:/z\n0::/", "cpu", "/cg/cpu/z /cg/cpu", false},
		{"part of a tree", inDocker, "4:memory:/docker/abc/d", "memory", "/cg/memory/d /cg/memory", false},
		{"outside of that part", newGroups, "0::/../other", "cpu", "/sys/fs/cgroup/other /sys/fs/cgroup", true},
		{"not mounted", "", "0::/a", "cpu", "", false},
		{"none", newGroups, "", "cpu", "", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := healthy(t)
			m.put(t, "/proc/self/mountinfo", row.mounts)
			m.put(t, "/proc/self/cgroup", row.own)
			got, v2 := m.cgroups(row.controller)
			if !slices.Equal(got, strings.Fields(row.want)) || v2 != row.v2 {
				t.Errorf("%v %v, want %v %v", got, v2, row.want, row.v2)
			}
		})
	}
}

func TestCgroup_QuotaAndMemory(t *testing.T) {
	for _, row := range []struct {
		name   string
		check  string
		mounts string
		own    string
		files  map[string]string
		state  State
		text   string
		fix    string
	}{
		{"no quota", "processors", newGroups, "0::/a/b", map[string]string{"/sys/fs/cgroup/a/b/cpu.max": "max 100000\n"}, OK, "4, no quota", ""},
		{"a quota for both", "processors", newGroups, "0::/a/b", map[string]string{"/sys/fs/cgroup/a/b/cpu.max": "200000 100000\n"}, OK, "quota of 2", ""},
		{"less", "processors", newGroups, "0::/a/b", map[string]string{"/sys/fs/cgroup/a/b/cpu.max": "150000 100000\n"}, Note, "only 1.5", "--spin 0|--cpus 2|CPUQuota"},
		{"less, further up", "processors", newGroups, "0::/a/b", map[string]string{"/sys/fs/cgroup/a/b/cpu.max": "300000 100000\n", "/sys/fs/cgroup/a/cpu.max": "50000 100000\n"}, Note, "only 0.5", "--spin 0"},
		{"less, the older way", "processors", oldGroups, "3:cpu,cpuacct:/z", map[string]string{"/cg/cpu/z/cpu.cfs_quota_us": "150000\n", "/cg/cpu/z/cpu.cfs_period_us": "100000\n"}, Note, "only 1.5", "--spin 0"},
		{"none, the older way", "processors", oldGroups, "3:cpu,cpuacct:/z", map[string]string{"/cg/cpu/z/cpu.cfs_quota_us": "-1\n", "/cg/cpu/z/cpu.cfs_period_us": "100000\n"}, OK, "no quota", ""},
		{"nonsense", "processors", newGroups, "0::/", map[string]string{"/sys/fs/cgroup/cpu.max": "0 0\n"}, OK, "no quota", ""},

		{"no limit", "memory", newGroups, "0::/a", map[string]string{"/sys/fs/cgroup/a/memory.max": "max\n"}, OK, "no limit of a control group", ""},
		{"a limit that is enough", "memory", newGroups, "0::/a", map[string]string{"/sys/fs/cgroup/a/memory.max": "2147483648\n"}, OK, "2 GiB for this control group", ""},
		{"a limit that is just not", "memory", newGroups, "0::/a", map[string]string{"/sys/fs/cgroup/a/memory.max": "1141899263\n"}, Note, "control group", "--limit 544MiB|MemoryMax"},
		{"a limit that just is", "memory", newGroups, "0::/a", map[string]string{"/sys/fs/cgroup/a/memory.max": "1141899264\n"}, OK, "control group", ""},
		{"a limit further up", "memory", newGroups, "0::/a/b", map[string]string{"/sys/fs/cgroup/a/memory.max": "536870912\n", "/sys/fs/cgroup/a/b/memory.max": "max\n"}, Note, "512 MiB for this control group", "--limit 256MiB"},
		{"the older way", "memory", oldGroups, "4:memory:/x", map[string]string{"/cg/memory/x/memory.limit_in_bytes": "536870912\n"}, Note, "512 MiB", "docker run --memory"},
		{"none, the older way", "memory", oldGroups, "4:memory:/x", map[string]string{"/cg/memory/x/memory.limit_in_bytes": "9223372036854771712\n"}, OK, "no limit", ""},
	} {
		t.Run(row.check+": "+row.name, func(t *testing.T) {
			m := healthy(t)
			m.put(t, "/proc/self/mountinfo", row.mounts)
			m.put(t, "/proc/self/cgroup", row.own)
			for path, text := range row.files {
				m.put(t, path, text)
			}
			m.finding(t, row.check).expect(t, row.state, row.text, row.fix)
		})
	}
}
