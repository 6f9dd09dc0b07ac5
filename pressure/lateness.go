package pressure

// LatenessExplains returns which of the quantiles 0.5, 0.9, 0.99 and 0.999 of the response time the
// lateness of the producer itself could explain: those whose lateness is at least half of the
// response. A producer that is late by so much does not measure the queue and its consumer. It is
// nil if there is none, and where no response was measured.
func (i *Interval) LatenessExplains() (quantiles []float64) {
	if i.Response.Count == 0 || i.Lateness.Count == 0 {
		return nil
	}
	for _, q := range []float64{0.5, 0.9, 0.99, 0.999} {
		if late := i.Lateness.Quantile(q); late > 0 && 2*late >= i.Response.Quantile(q) {
			quantiles = append(quantiles, q)
		}
	}
	return quantiles
}
