package doctor

import "strings"

// The numbers of the namespaces that the kernel starts with, from linux/proc_ns.h.
const (
	firstIPC    = "4026531839"
	firstUTS    = "4026531838"
	firstUser   = "4026531837"
	firstPID    = "4026531836"
	firstCgroup = "4026531835"
)

// container checks whether this process has the same /dev/shm and process ids as the others
// on the machine.
func container(m *machine) Finding {
	own := func(kind, first string) bool {
		number := m.namespace(kind)
		return number != "" && number != first
	}
	apart := own("ipc", firstIPC) || own("uts", firstUTS) || own("cgroup", firstCgroup)
	pids := own("pid", firstPID)
	what := m.containerRuntime()
	if !pids && (what == "" || !apart) { // the file alone may come from an image
		return ok("none: process ids and /dev/shm are those of the machine")
	}
	found := "this is a container"
	if what != "" {
		found += " (" + what + ")"
	}
	if m.mountOf(m.dir).source == "shm" { // as Docker, Podman and containerd call it
		found += " with a /dev/shm of its own: processes outside do not see the segments"
	} else {
		found += "; whether processes outside share its /dev/shm cannot be seen from here (compare gauge ls)"
	}
	if pids {
		found += "; process ids in reports are those of the container (which side is alive is known anyway)"
	}
	return note("to reach a process outside, use the same user on both sides and one /dev/shm: docker run --ipc=host, or --ipc=shareable and --ipc=container:NAME; "+
		"transfer mode needs a --socket in a directory that both mount (-v)", "%s", found)
}

// containerRuntime names what runs the container, as far as files show it; "" when none does.
func (m *machine) containerRuntime() string {
	if what, _, _ := strings.Cut(m.read("/run/systemd/container"), "\n"); what != "" {
		return what
	}
	if m.exists("/.dockerenv") {
		return "Docker"
	}
	if m.exists("/run/.containerenv") {
		return "Podman"
	}
	groups := m.read("/proc/1/cgroup")
	for _, hint := range []struct{ word, what string }{
		{"kubepods", "Kubernetes"}, {"docker", "Docker"}, {"libpod", "Podman"}, {"lxc", "LXC"}, {"containerd", "containerd"},
	} {
		if strings.Contains(groups, hint.word) {
			return hint.what
		}
	}
	return ""
}
