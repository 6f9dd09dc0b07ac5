package main

import (
	"math"
	"time"
)

// trace is what a run has recorded of its messages, in their order: times in ns of one clock.
// A service is from when the consumer could begin with a message, which was published then, to the
// end of the work: what the consumer needs to take and release a message is a part of it.
type trace struct {
	due, began, taken, done []float64
}

// lindley returns how long each message waits from when it is due until it is taken, if nothing
// but the queue holds it back: by Lindley's recursion W(k+1) = max(0, W(k) + S(k) - A(k)), where
// S(k) is how long message k was worked on, and A(k) the time from its due time to the next one.
// The first message waits for the consumer to begin.
func lindley(t *trace) (waits []float64) {
	waits = make([]float64, len(t.due))
	waits[0] = t.taken[0] - t.due[0]
	for k := 1; k < len(waits); k++ {
		service, gap := t.done[k-1]-t.began[k-1], t.due[k]-t.due[k-1]
		waits[k] = max(0, waits[k-1]+service-gap)
	}
	return waits
}

// queue is what the Pollaczek-Khinchine formula needs of a queue with one server, Poisson arrivals
// and independent services.
type queue struct {
	rate          float64 // arrivals a ns
	service       float64 // mean, ns
	serviceSquare float64 // mean of the squares, ns^2
}

func (t *trace) queue() (q queue) {
	n := float64(len(t.due))
	for k := range t.due {
		s := t.done[k] - t.began[k]
		q.service += s / n
		q.serviceSquare += s * s / n
	}
	q.rate = (n - 1) / (t.due[len(t.due)-1] - t.due[0])
	return q
}

// load returns the share of the time that the server works.
func (q queue) load() float64 { return q.rate * q.service }

// deviation returns the standard deviation of a service, ns.
func (q queue) deviation() float64 {
	return math.Sqrt(max(0, q.serviceSquare-q.service*q.service))
}

// wait returns the mean time from arrival to service, ns; infinite at a load of 1 and more.
func (q queue) wait() float64 {
	if q.load() >= 1 {
		return math.Inf(1)
	}
	return q.rate * q.serviceSquare / (2 * (1 - q.load()))
}

func mean(values []float64) (m float64) {
	for _, v := range values {
		m += v / float64(len(values))
	}
	return m
}

// batches is into how many parts meanError cuts a run. Each must be much longer than a queue
// remembers: at load 0.8 some 30 services.
const batches = 30

// meanError returns the standard error of the mean of values that depend on those before them, by
// the means of batches. Less than 2 values a batch give NaN.
func meanError(values []float64) float64 {
	size := len(values) / batches
	if size < 2 {
		return math.NaN()
	}
	var sum, squares float64
	for b := range batches {
		m := mean(values[b*size : (b+1)*size])
		sum, squares = sum+m, squares+m*m
	}
	average := sum / batches
	variance := (squares/batches - average*average) * batches / (batches - 1)
	return math.Sqrt(variance / batches)
}

// t95 is how many standard errors, known from as many batches, a mean is off at most, 19 times of
// 20: Student's distribution with batches-1 degrees of freedom.
const t95 = 2.045

func duration(ns float64) time.Duration { return time.Duration(math.Round(ns)) }
