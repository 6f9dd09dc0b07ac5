package bridge

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestMarks_LagInBytesAndTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		m := marks{position: 1000}
		if m.bytesBehind() != 0 || m.age() != 0 {
			t.Fatal("a lag before anything was sent")
		}
		for i := range uint64(10) { // 100 messages of 8 bytes every second
			m.released(1000+100*(i+1), 800*(i+1))
			time.Sleep(time.Second)
		}
		if m.bytesBehind() != 8000 || m.age() != 10*time.Second {
			t.Errorf("%d bytes, %v behind; want 8000, 10s", m.bytesBehind(), m.age())
		}
		m.reached(1299) // all of the second hundred, not of the third
		if m.bytesBehind() != 6400 || m.age() != 8*time.Second {
			t.Errorf("%d bytes, %v behind; want 6400, 8s", m.bytesBehind(), m.age())
		}
		m.reached(1100) // an older status, that came late
		if m.bytesBehind() != 6400 {
			t.Errorf("%d bytes behind after an older position", m.bytesBehind())
		}
		m.reached(2000)
		if m.bytesBehind() != 0 || m.age() != 0 {
			t.Errorf("%d bytes, %v behind at the end", m.bytesBehind(), m.age())
		}
	})
}

// However long the lag, memory is bounded.
func TestMarks_Bounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var m marks
		for i := range uint64(3 * maxMarks) {
			m.released(i+1, 8*(i+1))
			time.Sleep(markInterval)
		}
		if len(m.ahead) > maxMarks {
			t.Errorf("%d marks, at most %d", len(m.ahead), maxMarks)
		}
		if m.bytesBehind() != 8*3*maxMarks {
			t.Errorf("%d bytes behind", m.bytesBehind())
		}
	})
}
