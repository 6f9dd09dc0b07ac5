// Package doctor checks a machine for problems that keep processes from passing messages, and
// says how to fix them. It needs no privilege. What can be tried is tried with the code that
// producer and consumer use, under a name of its own, and removed before the check returns.
package doctor

import "fmt"

// State is how serious a finding is.
type State string

// The states.
const (
	OK      State = "ok"      // as it should be
	Note    State = "note"    // it works, with a limitation that one should know
	Problem State = "problem" // it has to be fixed
)

// Finding is the result of one check.
type Finding struct {
	Name  string `json:"name"`
	State State  `json:"state"`
	Text  string `json:"text"` // what was found, a clause without a full stop
	Fix   string `json:"fix"`  // "" where there is nothing to do
}

// checks are in the order in which they are printed: what everything else needs comes first.
var checks = []struct {
	name string
	run  func(*machine) Finding
}{
	{"/dev/shm", sharedMemory},
	{"room", room},
	{"ring", rings},
	{"futex", futexes},
	{"many rings", manyRings},
	{"membarrier", barriers},
	{"descriptors", descriptors},
	{"open files", openFiles},
	{"limits", limits},
	{"socket path", socketPath},
	{"transfer", transfers},
	{"processors", processors},
	{"memory", memory},
	{"huge pages", hugePages},
	{"RemoveIPC", removeIPC},
	{"container", container},
	{"clock", clock},
	{"kernel", kernel},
	{"segments", segments},
	{"pairs", pairs},
}

// Examine makes every check on this machine, for this user and with the limits of this process.
// It takes some milliseconds, a quarter of a second while there are live sides to observe, and
// a few seconds when a message is not received.
func Examine() []Finding { return examine(thisMachine()) }

func examine(m *machine) []Finding {
	var out []Finding
	for _, c := range checks {
		f := c.run(m)
		f.Name = c.name
		out = append(out, f)
	}
	return out
}

func ok(format string, args ...any) Finding {
	return Finding{State: OK, Text: fmt.Sprintf(format, args...)}
}

func note(fix, format string, args ...any) Finding {
	return Finding{State: Note, Text: fmt.Sprintf(format, args...), Fix: fix}
}

func problem(fix, format string, args ...any) Finding {
	return Finding{State: Problem, Text: fmt.Sprintf(format, args...), Fix: fix}
}
