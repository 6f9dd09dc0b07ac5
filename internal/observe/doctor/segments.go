package doctor

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"sluice/layout"
	"sluice/shm"
)

// segment is a file with the name of a segment.
type segment struct {
	name   string
	uid    int
	err    error  // why it cannot be used
	alive  bool   // a side is alive
	unread uint64 // messages
	bridge string // bridge out or bridge in, if one had a role in it last; else ""
}

// segments looks for segments that were left behind.
func segments(m *machine) Finding {
	all, err := m.list()
	if err != nil {
		return note("fix /dev/shm first", "not tried: %v", err)
	}
	used, foreign := 0, 0
	var left, damaged, unseen, remove []string
	users := "producer or consumer"
	for _, s := range all {
		switch {
		case s.uid != m.uid:
			foreign++
		case s.err != nil && !s.damaged():
			unseen = append(unseen, fmt.Sprintf("%s (%v)", s.name, withoutName(s.err)))
		case s.err != nil:
			damaged = append(damaged, s.name)
			if errors.Is(s.err, shm.ErrUntrusted) { // a link, or writable by all: gauge does not remove it
				remove = append(remove, "rm "+shm.Path(s.name))
			} else {
				remove = append(remove, "gauge rm --yes --name "+s.name)
			}
		case s.alive:
			used++
		case s.unread > 0:
			left = append(left, fmt.Sprintf("%s (%s unread%s)", s.name, count(s.unread), s.ofBridge()))
			remove = append(remove, "gauge rm --yes --name "+s.name)
		default:
			left = append(left, fmt.Sprintf("%s (empty%s)", s.name, s.ofBridge()))
			remove = append(remove, "gauge rm --name "+s.name)
		}
		if s.bridge != "" {
			users = "producer, consumer or bridge"
		}
	}
	found := count(uint64(used)) + " in use"
	if foreign > 0 {
		found += fmt.Sprintf(", %s of other users", count(uint64(foreign)))
	}
	if len(damaged) > 0 {
		found += "; damaged or not a segment: " + firstFew(damaged, ", ")
	}
	if len(unseen) > 0 {
		found += "; cannot be read: " + firstFew(unseen, ", ")
	}
	if len(left) > 0 {
		found += "; without a live side: " + firstFew(left, ", ")
	}
	switch {
	case len(damaged) > 0 && len(left) == 0:
		return note("remove it, until then producer and consumer refuse the name: "+firstFew(remove, "; "), "%s", found)
	case len(remove) > 0:
		return note("use one again ("+users+" --name NAME), or remove it with its unread messages: "+firstFew(remove, "; "), "%s", found)
	}
	if len(unseen) > 0 {
		return note("fix what is above first", "%s", found)
	}
	return ok("%s, none left behind", found)
}

// firstFew joins the first three words, and counts the others.
func firstFew(words []string, with string) string {
	const few = 3
	if len(words) <= few {
		return strings.Join(words, with)
	}
	return fmt.Sprintf("%s%sand %s more (gauge ls)", strings.Join(words[:few], with), with, count(uint64(len(words)-few)))
}

// listSegments observes all segments.
func listSegments() ([]segment, error) {
	names, err := shm.List()
	if err != nil {
		return nil, err
	}
	var all []segment
	for _, name := range names {
		info, err := os.Lstat(shm.Path(name))
		if err != nil {
			continue // its last side has just left
		}
		st, ok := info.Sys().(*syscall.Stat_t)
		if !ok {
			continue
		}
		s := segment{name: name, uid: int(st.Uid)}
		if s.err = s.observe(); !errors.Is(s.err, fs.ErrNotExist) {
			all = append(all, s)
		}
	}
	return all, nil
}

// ofBridge says that the segment is one of a bridge.
func (s *segment) ofBridge() string {
	if s.bridge == "" {
		return ""
	}
	return ", of " + s.bridge
}

// damaged reports whether err is about the segment, and not about this process, which could not
// read it.
func (s *segment) damaged() bool {
	for _, is := range []error{layout.ErrNotSegment, layout.ErrVersion, layout.ErrCorrupt, shm.ErrUntrusted, shm.ErrTruncated} {
		if errors.Is(s.err, is) {
			return true
		}
	}
	return false
}

func (s *segment) observe() error {
	now, err := observe(s.name)
	if err != nil {
		return err
	}
	s.alive = now.Producer.Alive || now.Consumer.Alive
	if now.Geometry.Mode == layout.ModeRing {
		s.unread = now.Depth()
	}
	switch {
	case now.Consumer.Bridge.Present():
		s.bridge = "bridge out"
	case now.Producer.Bridge.Present():
		s.bridge = "bridge in"
	}
	return nil
}
