// Package doctor looks for what, on a machine, is in the way of those who pass
// messages between processes, and says what to do about it. It needs no privilege.
// What can be tried is tried with the code that producer and consumer use, under a name
// of its own; what a check makes is gone when it returns.
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
	{"ring", rings},
	{"futex", futexes},
	{"membarrier", barriers},
	{"descriptors", descriptors},
	{"open files", openFiles},
	{"limits", limits},
	{"socket path", socketPath},
	{"transfer", transfers},
	{"processors", processors},
	{"memory", memory},
	{"RemoveIPC", removeIPC},
	{"container", container},
	{"clock", clock},
	{"kernel", kernel},
	{"segments", segments},
	{"pairs", pairs},
}

// Examine makes every check on this machine, for this user and with the limits of
// this process. It takes some milliseconds, a quarter of a
// second while there are live sides to look at; a few seconds when messages do not get through.
func Examine() []Finding { return examine(thisMachine()) }

func examine(m *machine) []Finding {
	var out []Finding
	for _, c := range checks {
		f := c.look(m)
		f.Name = c.name
		out = append(out, f)
	}
	return out
}

func ok(format string, args ...any) Finding {
	return Finding{State: OK, Says: fmt.Sprintf(format, args...)}
}

func note(remedy, format string, args ...any) Finding {
	return Finding{State: Note, Says: fmt.Sprintf(format, args...), Remedy: remedy}
}

func problem(remedy, format string, args ...any) Finding {
	return Finding{State: Problem, Says: fmt.Sprintf(format, args...), Remedy: remedy}
}
