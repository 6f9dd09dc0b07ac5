package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"github.com/dustin/go-humanize"

	"sluice/layout"
	"sluice/pressure"
	"sluice/shm"
)

// leftover is what stands at a segment's name.
type leftover struct {
	name   string
	uid    int
	err    error  // why it is no segment that can be used
	alive  bool   // somebody is in it
	unread uint64 // messages
}

// segments looks for what others have left behind.
func segments(m *machine) Finding {
	all, err := m.list()
	if err != nil {
		return note("mend /dev/shm first", "not tried: %v", err)
	}
	used, foreign := 0, 0
	var left, damaged, remove []string
	for _, s := range all {
		switch {
		case s.uid != m.uid:
			foreign++
		case s.err != nil:
			damaged = append(damaged, s.name)
			if errors.Is(s.err, shm.ErrForeign) { // a link, or open to everybody: not for gauge
				remove = append(remove, "rm "+shm.Path(s.name))
			} else {
				remove = append(remove, "gauge rm --yes --name "+s.name)
			}
		case s.alive:
			used++
		case s.unread > 0:
			left = append(left, fmt.Sprintf("%s (%s unread)", s.name, humanize.Comma(int64(s.unread))))
			remove = append(remove, "gauge rm --yes --name "+s.name)
		default:
			left = append(left, s.name+" (empty)")
			remove = append(remove, "gauge rm --name "+s.name)
		}
	}
	says := fmt.Sprintf("%d in use", used)
	if foreign > 0 {
		says += fmt.Sprintf(", %d of other users", foreign)
	}
	if len(damaged) > 0 {
		says += "; no segment or damaged: " + some(damaged, ", ")
	}
	if len(left) > 0 {
		says += "; with nobody in them: " + some(left, ", ")
	}
	switch {
	case len(damaged) > 0 && len(left) == 0:
		return note("remove it, until then producer and consumer refuse the name: "+some(remove, "; "), "%s", says)
	case len(remove) > 0:
		return note("go on with one (producer or consumer --name NAME) or remove it, with what is unread: "+some(remove, "; "), "%s", says)
	}
	return fine("%s, none left behind", says)
}

// some joins the first few.
func some(words []string, with string) string {
	const few = 3
	if len(words) <= few {
		return strings.Join(words, with)
	}
	return fmt.Sprintf("%s%sand %d more (gauge ls)", strings.Join(words[:few], with), with, len(words)-few)
}

// listSegments looks at all there are, without taking part.
func listSegments() ([]leftover, error) {
	names, err := shm.List()
	if err != nil {
		return nil, err
	}
	var all []leftover
	for _, name := range names {
		info, err := os.Lstat(shm.Path(name))
		if err != nil {
			continue // its last side has just left
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			continue
		}
		s := leftover{name: name, uid: int(st.Uid)}
		if s.err = s.look(); !errors.Is(s.err, fs.ErrNotExist) {
			all = append(all, s)
		}
	}
	return all, nil
}

func (s *leftover) look() error {
	v, err := shm.Look(s.name)
	if err != nil {
		return err
	}
	defer v.Close()
	now, err := pressure.Observe(v)
	if err != nil {
		return err
	}
	s.alive = now.Producer.Alive || now.Consumer.Alive
	if now.Geometry.Mode == layout.ModeRing {
		s.unread = now.Depth()
	}
	return nil
}
