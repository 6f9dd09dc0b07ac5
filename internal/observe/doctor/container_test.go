package doctor

import "testing"

func TestContainer_Detected(t *testing.T) {
	own := func(m *machine, kinds ...string) {
		for _, kind := range kinds {
			m.namespaceIs(t, kind, "4026532100")
		}
	}
	for _, row := range []struct {
		name  string
		spoil func(m *machine)
		state State
		text  string
	}{
		{"none", func(m *machine) {}, OK, "none"},
		{"only a file of an image", func(m *machine) { m.put(t, "/.dockerenv", "") }, OK, "none"},
		{"namespaces of its own, not of processes", func(m *machine) { own(m, "uts", "cgroup") }, OK, "none"},
		{"Docker", func(m *machine) { m.put(t, "/.dockerenv", ""); own(m, "pid", "ipc", "uts", "cgroup") }, Note, "(Docker)|process ids|cannot be seen from here"},
		{"Docker with the machine's processes", func(m *machine) { m.put(t, "/.dockerenv", ""); own(m, "ipc") }, Note, "(Docker)|cannot be seen from here"},
		{"Podman", func(m *machine) { m.put(t, "/run/.containerenv", ""); own(m, "pid") }, Note, "(Podman)|process ids"},
		{"systemd-nspawn", func(m *machine) { m.put(t, "/run/systemd/container", "systemd-nspawn\n"); own(m, "pid") }, Note, "(systemd-nspawn)"},
		{"a pod", func(m *machine) { m.put(t, "/proc/1/cgroup", "0::/kubepods/besteffort/pod1\n"); own(m, "pid") }, Note, "(Kubernetes)"},
		{"unshare", func(m *machine) { own(m, "pid") }, Note, "this is a container; |process ids"},
		{"its own /dev/shm", func(m *machine) {
			own(m, "pid")
			m.put(t, "/proc/self/mountinfo", "25 22 0:24 / "+m.dir+" rw - tmpfs shm rw,size=65536k")
		}, Note, "a /dev/shm of its own"},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := healthy(t)
			row.spoil(m)
			fix := ""
			if row.state == Note {
				fix = "--ipc=host|--ipc=container:NAME|--socket|same user"
			}
			m.finding(t, "container").expect(t, row.state, row.text, fix)
		})
	}
}

func TestMounts_VisibleOne(t *testing.T) {
	m := healthy(t)
	m.put(t, "/proc/self/mountinfo", `1 0 8:1 / / rw - ext4 /dev/sda1 rw
2 1 0:5 / /dev rw - devtmpfs dev rw
3 2 0:6 / /dev/shm rw - tmpfs first rw
4 2 0:7 / /dev/shmx rw - tmpfs other rw
5 3 0:8 / /dev/shm ro,nodev master:1 propagate_from:2 - tmpfs second rw,size=1k
a broken line
6 1 0:9 / /sys - sysfs
`)
	for path, want := range map[string]string{"/dev/shm": "second", "/dev/shm/a": "second", "/dev/shmx": "other", "/dev/shmy": "dev", "/home": "/dev/sda1"} {
		if got := m.mountOf(path).source; got != want {
			t.Errorf("%s is on %q, want %q", path, got, want)
		}
	}
	if got := m.mountOf("/dev/shm").options; got != "ro,nodev,rw,size=1k" {
		t.Errorf("options %q", got)
	}
}
