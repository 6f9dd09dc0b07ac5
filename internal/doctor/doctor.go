// Package doctor looks for what, on a machine, is in the way of those who pass
// messages between processes, and says what to do about it. It needs no privilege.
// What a check has to make, to see whether it can be made, is gone when it returns.
package doctor

import "fmt"

// State is how bad a finding is.
type State string

// The states.
const (
	OK      State = "ok"      // as it should be
	Note    State = "note"    // it works; there is something to know
	Problem State = "problem" // it is in the way
)

// Finding is what one check has to say.
type Finding struct {
	Name   string `json:"name"`
	State  State  `json:"state"`
	Says   string `json:"says"`
	Remedy string `json:"remedy"` // "" where there is nothing to do
}

// checks are in the order in which people read them: what all messages need first.
var checks = []struct {
	name string
	look func(*machine) Finding
}{
	{"/dev/shm", sharedMemory},
	{"room", room},
	{"unnamed files", unnamedFiles},
	{"role locks", roleLocks},
	{"futex", futexes},
	{"membarrier", barriers},
	{"memfd", sealing},
	{"descriptors", descriptors},
	{"open files", openFiles},
	{"socket", sockets},
	{"socket path", socketPath},
	{"processors", processors},
	{"memory", memory},
	{"RemoveIPC", removeIPC},
	{"container", container},
	{"clock", clock},
	{"kernel", kernel},
	{"segments", segments},
}

// Examine makes every check on this machine, for this user and with the limits of
// this process. It takes some milliseconds.
func Examine() []Finding { return examine(here()) }

func examine(m *machine) []Finding {
	var out []Finding
	for _, c := range checks {
		f := c.look(m)
		f.Name = c.name
		out = append(out, f)
	}
	return out
}

func fine(format string, args ...any) Finding {
	return Finding{State: OK, Says: fmt.Sprintf(format, args...)}
}

func note(remedy, format string, args ...any) Finding {
	return Finding{State: Note, Says: fmt.Sprintf(format, args...), Remedy: remedy}
}

func problem(remedy, format string, args ...any) Finding {
	return Finding{State: Problem, Says: fmt.Sprintf(format, args...), Remedy: remedy}
}
