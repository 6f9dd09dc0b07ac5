package compare

import (
	"encoding/csv"
	"fmt"
	"os"
	"strconv"
)

// Series is the recording of a run by gauge record: a row each interval.
type Series struct {
	Time, Depth, Memory              []float64 // seconds, messages, bytes
	Produced, Consumed               []float64
	ProducerBlocked, ConsumerBlocked []float64 // seconds since the start of the run
	Verdict                          []string
}

// readSeries reads the file that gauge record has written.
func readSeries(path string) (s Series, err error) {
	f, err := os.Open(path)
	if err != nil {
		return s, err
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	if len(rows) < 2 {
		return s, fmt.Errorf("%s: gauge recorded nothing", path)
	}
	at := map[string]int{}
	for i, name := range rows[0] {
		at[name] = i
	}
	for _, c := range []struct {
		name string
		into *[]float64
	}{
		{"timeSec", &s.Time}, {"queueDepth", &s.Depth}, {"memoryBytes", &s.Memory},
		{"producedCount", &s.Produced}, {"consumedCount", &s.Consumed},
		{"producerWaitSec", &s.ProducerBlocked}, {"consumerWaitSec", &s.ConsumerBlocked},
	} {
		i, ok := at[c.name]
		if !ok {
			return s, fmt.Errorf("%s: no column %s", path, c.name)
		}
		for _, row := range rows[1:] {
			x, err := strconv.ParseFloat(row[i], 64)
			if err != nil {
				return s, fmt.Errorf("%s: %w", path, err)
			}
			*c.into = append(*c.into, x)
		}
	}
	for _, row := range rows[1:] {
		s.Verdict = append(s.Verdict, row[at["verdict"]])
	}
	return s, nil
}

// moving returns the rows between which messages were received: the first with one, and the
// first after which there were no more.
func (s *Series) moving() (first, last int) {
	n := len(s.Consumed) - 1
	for first < n && s.Consumed[first] == 0 {
		first++
	}
	for last = n; last > first && s.Consumed[last-1] == s.Consumed[n]; {
		last--
	}
	return first, last
}

// throughput returns the messages received a second between those rows.
func (s *Series) throughput() float64 {
	first, last := s.moving()
	if took := s.Time[last] - s.Time[first]; took > 0 {
		return (s.Consumed[last] - s.Consumed[first]) / took
	}
	return 0
}

// lastProduced returns the time after which nothing more was produced.
func (s *Series) lastProduced() float64 {
	last := len(s.Produced) - 1
	for last > 0 && s.Produced[last-1] == s.Produced[last] {
		last--
	}
	return s.Time[last]
}

// commonVerdict returns the verdict that held longest until that time.
func (s *Series) commonVerdict(until float64) string {
	count, best := map[string]int{}, ""
	for i, v := range s.Verdict {
		if s.Time[i] > until {
			break
		}
		if count[v]++; count[v] > count[best] {
			best = v
		}
	}
	return best
}

func maximum(xs []float64) (x float64) {
	for _, v := range xs {
		x = max(x, v)
	}
	return x
}
