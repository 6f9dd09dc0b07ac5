package shm

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"sluice/internal/testenv"
	"sluice/layout"
)

func TestLeave_LastSide_RemovesIfAsked(t *testing.T) {
	for _, r := range []layout.Role{layout.Producer, layout.Consumer} {
		name := abandoned(t)
		if leave(t, join(t, name, r), keep) || !exists(name) {
			t.Errorf("a %v that wants to keep the file removed it", r)
		}
		if !leave(t, join(t, name, r), remove) || exists(name) {
			t.Errorf("the file is still there after its last %v", r)
		}
	}
}

func TestLeave_PeerAlive_NotAsked(t *testing.T) {
	name := testenv.SegmentName(t)
	producer := newSegment(t, name)
	testenv.StartChild(t, "hold", name, "consumer").WantLine(t, "holding")
	removed := leave(t, producer, func() bool { t.Error("asked"); return true })
	if removed || !exists(name) {
		t.Error("the file is gone under the consumer")
	}
	join(t, name, layout.Producer)
}

func TestLeave_Deciding_NobodyJoins(t *testing.T) {
	name := testenv.SegmentName(t)
	producer := newSegment(t, name)
	leave(t, producer, func() bool {
		if s, err := Open(testenv.Canceled(), name, layout.Consumer); !errors.Is(err, context.Canceled) {
			t.Errorf("%v, %v", s, err)
		}
		if !alive(t, producer, layout.Producer) || producer.Header().Identity.Magic.Load() != layout.Magic {
			t.Error("the segment is not whole any more")
		}
		return true
	})
	refused(t, name, layout.Consumer, fs.ErrNotExist)
}

// A successor that finds the record finds a file that stays, or none.
func TestLeave_Record_AfterRemovalBeforeRelease(t *testing.T) {
	for what, removes := range map[string]func() bool{"removed": remove, "kept": keep} {
		name := testenv.SegmentName(t)
		producer := newSegment(t, name)
		observer, err := OpenView(name)
		if err != nil {
			t.Fatal(err)
		}
		recorded := 0
		removed, err := producer.Leave(removes, func() {
			recorded++
			if exists(name) != (what == "kept") {
				t.Errorf("%s: the file exists: %v", what, exists(name))
			}
			if !alive(t, observer, layout.Producer) {
				t.Errorf("%s: the role is free", what)
			}
			producer.Header().ProducerStats.End.Store(77) // it is mapped
		})
		if removed != removes() || err != nil || recorded != 1 || observer.Header().ProducerStats.End.Load() != 77 {
			t.Errorf("%s: removed %v, %v, recorded %d times", what, removed, err, recorded)
		}
		producer.Leave(removes, func() { t.Error("recorded when it had left") })
		observer.Close()
	}
}

// Another process that was stopped holds the lock.
func TestLeave_JoinLockHeld_RecordedAndReleased(t *testing.T) {
	name := testenv.SegmentName(t)
	producer := newSegment(t, name)
	lockByte(t, name, joinLockByte)
	recorded := 0
	removed, err := producer.Leave(remove, func() { recorded++ })
	if removed || !errors.Is(err, errJoinLock) || recorded != 1 || !exists(name) {
		t.Errorf("removed %v, %v, recorded %d times", removed, err, recorded)
	}
}

func TestLeave_OtherFileOfThatName_Kept(t *testing.T) {
	name := testenv.SegmentName(t)
	producer := newSegment(t, name)
	other := filepath.Join(Dir, filepath.Base(Path(testenv.SegmentName(t))))
	if err := os.WriteFile(other, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(other, Path(name)); err != nil {
		t.Fatal(err)
	}
	leave(t, producer, remove)
	if got, err := os.ReadFile(Path(name)); string(got) != "mine" {
		t.Errorf("the file that took the name holds %q, %v", got, err)
	}
}

func TestLeave_FileRemoved_NoError(t *testing.T) {
	name := testenv.SegmentName(t)
	producer := newSegment(t, name)
	if err := os.Remove(Path(name)); err != nil {
		t.Fatal(err)
	}
	leave(t, producer, remove)
}

func TestLeave_Twice_Error(t *testing.T) {
	name := testenv.SegmentName(t)
	producer := newSegment(t, name)
	leave(t, producer, keep)
	if removed, err := producer.Leave(remove); removed || err == nil {
		t.Errorf("%v, %v", removed, err)
	}
	if !exists(name) || producer.Header() != nil || producer.Data() != nil {
		t.Error("it did something")
	}
}

func TestRemove_RoleHeld_Refused(t *testing.T) {
	for _, r := range []layout.Role{layout.Producer, layout.Consumer} {
		name := abandoned(t)
		c := testenv.StartChild(t, "hold", name, r.String())
		c.WantLine(t, "holding")
		if err := Remove(t.Context(), name); !errors.Is(err, ErrRoleTaken) {
			t.Errorf("with a live %v: %v", r, err)
		}
		leave(t, join(t, name, r.Peer()), keep) // the refusal kept no lock
		c.Kill()
		if err := Remove(t.Context(), name); err != nil || exists(name) {
			t.Errorf("with a dead %v: %v", r, err)
		}
	}
}

func TestRemove_NoSegment_Deleted(t *testing.T) {
	name := testenv.SegmentName(t)
	if err := os.WriteFile(Path(name), []byte("what is this"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Remove(t.Context(), name); err != nil || exists(name) {
		t.Error(err)
	}
	if err := Remove(t.Context(), name); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("when nothing is there: %v", err)
	}
}

func TestRemove_Untrusted_Refused(t *testing.T) {
	name, target := testenv.SegmentName(t), abandoned(t)
	if err := os.Symlink(Path(target), Path(name)); err != nil {
		t.Fatal(err)
	}
	if err := Remove(t.Context(), name); !errors.Is(err, ErrUntrusted) {
		t.Error(err)
	}
	if !exists(name) || !exists(target) {
		t.Error("the link or its target is gone")
	}
}
