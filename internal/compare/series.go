package compare

import (
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"strconv"
)

// Recording is what gauge record has written of a run: a row each interval.
type Recording struct {
	File string
	Time []float64 // seconds since the first message was taken; negative before
	// What is unknown is not a number.
	Depth, Memory, Unsent    []float64 // messages, bytes, messages
	Produced, Consumed       []float64
	ResponseP50, ResponseP99 []float64 // of the row's interval, ns
}

// readRecording reads the file that gauge record has written. Its times begin with the first row.
func readRecording(path string) (_ *Recording, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	if len(rows) < 2 {
		return nil, fmt.Errorf("%s: gauge recorded nothing", path)
	}
	at := map[string]int{}
	for i, name := range rows[0] {
		at[name] = i
	}
	s := &Recording{File: path}
	for _, c := range []struct {
		name string
		into *[]float64
	}{
		{"timeSec", &s.Time}, {"queueDepth", &s.Depth}, {"memoryBytes", &s.Memory}, {"unsentCount", &s.Unsent},
		{"producedCount", &s.Produced}, {"consumedCount", &s.Consumed},
		{"responseP50", &s.ResponseP50}, {"responseP99", &s.ResponseP99},
	} {
		i, ok := at[c.name]
		if !ok {
			return nil, fmt.Errorf("%s: no column %s", path, c.name)
		}
		for _, row := range rows[1:] {
			x := math.NaN()
			if row[i] != "" {
				if x, err = strconv.ParseFloat(row[i], 64); err != nil {
					return nil, fmt.Errorf("%s: %w", path, err)
				}
			}
			*c.into = append(*c.into, x)
		}
	}
	return s, nil
}

// shift moves the times so that what was at since is at 0.
func (s *Recording) shift(since float64) {
	for i := range s.Time {
		s.Time[i] -= since
	}
}

// moving returns the rows between which messages were taken: the first with one, and the first
// after which there were no more.
func (s *Recording) moving() (first, last int) {
	n := len(s.Consumed) - 1
	for first < n && s.Consumed[first] == 0 {
		first++
	}
	for last = n; last > first && s.Consumed[last-1] == s.Consumed[n]; {
		last--
	}
	return first, last
}

// throughput returns the messages taken a second between those rows.
func (s *Recording) throughput() float64 {
	first, last := s.moving()
	if took := s.Time[last] - s.Time[first]; took > 0 {
		return (s.Consumed[last] - s.Consumed[first]) / took
	}
	return 0
}

// lastProduced returns the time after which nothing more was produced.
func (s *Recording) lastProduced() float64 {
	last := len(s.Produced) - 1
	for last > 0 && s.Produced[last-1] == s.Produced[last] {
		last--
	}
	return s.Time[last]
}

// worst returns the messages that waited in front of the producer and in the queue when most did.
func (s *Recording) worst() (unsent, queued uint64) {
	for i := range s.Depth {
		u, q := known(s.Unsent[i]), known(s.Depth[i])
		if u+q > float64(unsent+queued) {
			unsent, queued = uint64(u), uint64(q)
		}
	}
	return unsent, queued
}

// known returns x, or 0 if it is not a number.
func known(x float64) float64 {
	if math.IsNaN(x) {
		return 0
	}
	return x
}

// maximum returns the largest of xs that is known.
func maximum(xs []float64) (most float64) {
	for _, x := range xs {
		most = max(most, known(x))
	}
	return most
}
