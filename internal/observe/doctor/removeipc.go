package doctor

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	minLoginUID   = 1000  // systemd takes users below for system users, whose files logind keeps
	minDynamicUID = 61184 // and those from here on for users that DynamicUser= makes
	maxDynamicUID = 65519
)

// removeIPC checks whether systemd deletes this user's segments, also those in use.
// systemd-logind does, with RemoveIPC=yes, which is its default, when a user has logged
// out for the last time: when the last session has ended, of cron and su too, and the
// user does not linger. A process that maps a segment can go on; no other can join it.
func removeIPC(m *machine) Finding {
	const setNo = "as root: RemoveIPC=no under [Login] in /etc/systemd/logind.conf.d/sluice.conf, systemctl restart systemd-logind"
	user := m.userName()
	switch {
	case minDynamicUID <= m.uid && m.uid <= maxDynamicUID:
		return note("name a fixed user: User= without DynamicUser=",
			"user %d is of a unit with DynamicUser=: systemd deletes its segments when the last unit of this user stops", m.uid)
	case !m.exists("/run/systemd/system") || !m.exists("/run/systemd/seats"):
		return ok("no systemd-logind here that could delete segments at logout")
	case m.uid < minLoginUID:
		return ok("systemd-logind leaves the segments of root and system users alone (this is user %d)", m.uid)
	case !m.removesIPC():
		return ok("is no: segments stay when their user logs out")
	case user != "" && m.exists("/var/lib/systemd/linger/"+user):
		return ok("is yes, but %s lingers: segments stay until that ends (loginctl disable-linger)", user)
	case m.isService():
		return problem(setNo+"; or give the unit a system user (User= with a number below 1000), or let the user linger (loginctl enable-linger)",
			"is yes, and this is a service of user %d: when that user logs in and out again, the service's segments are deleted", m.uid)
	}
	return note("if they have to be kept after that, "+setNo+"; or loginctl enable-linger; or a system user (below 1000) for both sides",
		"is yes: systemd-logind deletes user %d's segments, also those in use, when the user's last session ends", m.uid)
}

// userName is the login name, "" for one who is not in /etc/passwd.
func (m *machine) userName() string {
	for line := range strings.Lines(m.read("/etc/passwd")) {
		if f := strings.Split(line, ":"); len(f) > 2 && f[2] == strconv.Itoa(m.uid) {
			return f[0]
		}
	}
	return ""
}

// isService reports whether this process belongs to a unit of the system, not to a
// session of its user.
func (m *machine) isService() bool {
	for line := range strings.Lines(m.read("/proc/self/cgroup")) {
		part := strings.SplitN(line, ":", 3)
		systemds := len(part) == 3 && (part[0] == "0" || part[1] == "name=systemd")
		if systemds && strings.HasPrefix(part[2], "/system.slice/") {
			return true
		}
	}
	return false
}

// removesIPC reads the configuration of systemd-logind as that does: one main file,
// then the drop-ins in the order of their names, of which one in /etc hides one of
// the same name in /usr. The last word counts.
func (m *machine) removesIPC() bool {
	// The main file shows the built-in default in a comment (logind.conf(5)).
	value := true
	folders := []string{"/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd"}
	for _, folder := range folders {
		if path := folder + "/logind.conf"; m.exists(path) {
			main := m.read(path)
			value = lastSetting(main, "#RemoveIPC", value)
			value = lastSetting(main, "RemoveIPC", value)
			break
		}
	}
	dropIns := map[string]string{} // by name
	for _, folder := range folders {
		entries, err := os.ReadDir(m.root + folder + "/logind.conf.d")
		if err != nil {
			continue
		}
		for _, e := range entries {
			if _, hidden := dropIns[e.Name()]; !hidden && filepath.Ext(e.Name()) == ".conf" {
				dropIns[e.Name()] = fmt.Sprintf("%s/logind.conf.d/%s", folder, e.Name())
			}
		}
	}
	names := make([]string, 0, len(dropIns))
	for name := range dropIns {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		value = lastSetting(m.read(dropIns[name]), "RemoveIPC", value)
	}
	return value
}

// lastSetting returns what the last line "key=..." of a [Login] section says, else value.
func lastSetting(text, key string, value bool) bool {
	section := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "[") {
			section = line
		}
		k, v, found := strings.Cut(line, "=")
		if !found || section != "[Login]" || strings.TrimSpace(k) != key {
			continue
		}
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "1", "yes", "y", "true", "t", "on":
			value = true
		case "0", "no", "n", "false", "f", "off":
			value = false
		}
	}
	return value
}
