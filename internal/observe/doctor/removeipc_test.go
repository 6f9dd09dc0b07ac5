package doctor

import "testing"

// withLogind is a machine of user alice, 1000, in a session of systemd-logind.
func withLogind(t *testing.T) *machine {
	m := healthy(t)
	m.uid = 1000
	m.put(t, "/run/systemd/system/x", "")
	m.put(t, "/run/systemd/seats/seat0", "")
	return m
}

func TestRemoveIPC_Setting(t *testing.T) {
	const main, etc, run, usr = "/etc/systemd/logind.conf", "/etc/systemd/logind.conf.d/", "/run/systemd/logind.conf.d/", "/usr/lib/systemd/logind.conf.d/"
	for _, row := range []struct {
		name  string
		spoil func(m *machine)
		state State
		text  string
		fix   string
	}{
		{"the default", func(m *machine) {}, Note, "is yes|user 1000", "RemoveIPC=no under [Login]|enable-linger|below 1000"},
		{"no systemd", func(m *machine) { m.remove("/run/systemd/system/x"); m.remove("/run/systemd/system") }, OK, "no systemd-logind", ""},
		{"no logind", func(m *machine) { m.remove("/run/systemd/seats/seat0"); m.remove("/run/systemd/seats") }, OK, "no systemd-logind", ""},
		{"root", func(m *machine) { m.uid = 0 }, OK, "alone (this is user 0)", ""},
		{"the last system user", func(m *machine) { m.uid = 999 }, OK, "alone (this is user 999)", ""},
		{"a user of a unit", func(m *machine) { m.uid = 61184 }, Note, "DynamicUser=", "User= without"},
		{"the last one", func(m *machine) { m.uid = 65519 }, Note, "DynamicUser=", "User= without"},
		{"the next one", func(m *machine) { m.uid = 65520 }, Note, "last session", "RemoveIPC=no"},
		{"no", func(m *machine) { m.put(t, main, "[Login]\nRemoveIPC=no\n") }, OK, "is no", ""},
		{"no, in other words", func(m *machine) { m.put(t, main, "[Login]\n  RemoveIPC = Off \n") }, OK, "is no", ""},
		{"the last line counts", func(m *machine) { m.put(t, main, "[Login]\nRemoveIPC=no\nRemoveIPC=true\n") }, Note, "is yes", "RemoveIPC=no"},
		{"nonsense does not", func(m *machine) { m.put(t, main, "[Login]\nRemoveIPC=no\nRemoveIPC=maybe\nRemoveIPC=\n") }, OK, "is no", ""},
		{"another section", func(m *machine) { m.put(t, main, "[Login]\n[Other]\nRemoveIPC=no\n") }, Note, "is yes", "RemoveIPC=no"},
		{"a comment shows the default", func(m *machine) { m.put(t, main, "[Login]\n#RemoveIPC=no\n") }, OK, "is no", ""},
		{"a comment below what counts", func(m *machine) { m.put(t, main, "[Login]\nRemoveIPC=yes\n#RemoveIPC=no\n") }, Note, "is yes", "RemoveIPC=no"},
		{"the vendor's file", func(m *machine) { m.put(t, "/usr/lib/systemd/logind.conf", "[Login]\nRemoveIPC=no\n") }, OK, "is no", ""},
		{"the vendor's file is hidden", func(m *machine) {
			m.put(t, "/usr/lib/systemd/logind.conf", "[Login]\nRemoveIPC=no\n")
			m.put(t, main, "[Login]\n")
		}, Note, "is yes", "RemoveIPC=no"},
		{"a drop-in overrides", func(m *machine) {
			m.put(t, main, "[Login]\nRemoveIPC=yes\n")
			m.put(t, usr+"50-ipc.conf", "[Login]\nRemoveIPC=no\n")
		}, OK, "is no", ""},
		{"the later name wins, wherever it is", func(m *machine) {
			m.put(t, etc+"10-a.conf", "[Login]\nRemoveIPC=no\n")
			m.put(t, usr+"20-b.conf", "[Login]\nRemoveIPC=yes\n")
		}, Note, "is yes", "RemoveIPC=no"},
		{"the same name in /etc hides", func(m *machine) {
			m.put(t, etc+"50-ipc.conf", "[Login]\n")
			m.put(t, usr+"50-ipc.conf", "[Login]\nRemoveIPC=no\n")
		}, Note, "is yes", "RemoveIPC=no"},
		{"a link to /dev/null hides", func(m *machine) {
			m.link(t, run+"50-ipc.conf", "/dev/null")
			m.put(t, usr+"50-ipc.conf", "[Login]\nRemoveIPC=no\n")
		}, Note, "is yes", "RemoveIPC=no"},
		{"not a .conf", func(m *machine) { m.put(t, etc+"50-ipc.conf.bak", "[Login]\nRemoveIPC=no\n") }, Note, "is yes", "RemoveIPC=no"},
		{"lingering", func(m *machine) { m.put(t, "/var/lib/systemd/linger/alice", "") }, OK, "alice lingers", ""},
		{"somebody else lingers", func(m *machine) { m.put(t, "/var/lib/systemd/linger/bob", "") }, Note, "is yes", "RemoveIPC=no"},
		{"nobody in /etc/passwd", func(m *machine) { m.uid = 1001; m.put(t, "/var/lib/systemd/linger/alice", "") }, Note, "user 1001", "RemoveIPC=no"},
		{"a service", func(m *machine) { m.put(t, "/proc/self/cgroup", "0::/system.slice/pump.service\n") }, Problem, "a service of user 1000", "RemoveIPC=no|User= with a number below 1000|enable-linger"},
		{"a service, with the older groups", func(m *machine) {
			m.put(t, "/proc/self/cgroup", "4:memory:/x\n1:name=systemd:/system.slice/pump.service\n")
		}, Problem, "a service of user 1000", "RemoveIPC=no"},
		{"a service of the user's own manager", func(m *machine) {
			m.put(t, "/proc/self/cgroup", "0::/user.slice/user-1000.slice/user@1000.service/app.slice/pump.service\n")
		}, Note, "last session", "RemoveIPC=no"},
	} {
		t.Run(row.name, func(t *testing.T) {
			m := withLogind(t)
			row.spoil(m)
			m.finding(t, "RemoveIPC").expect(t, row.state, row.text, row.fix)
		})
	}
}
