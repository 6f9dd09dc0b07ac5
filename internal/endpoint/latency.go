package endpoint

import "sluice/layout"

// NoteLatency counts a sample that stands for weight messages, which were published at
// stamp and taken at now, both ns of the monotonic clock. A stamp from the future (another
// time namespace, a hostile peer) counts as no time. Only the holder of the consumer role
// may call it.
func NoteLatency(h *layout.Header, stamp, now, weight uint64) {
	noteTime(&h.Latency, uint64(max(0, int64(now-stamp))), weight)
}

// noteTime counts a time of a sample that stands for weight messages. A histogram has one
// writer.
func noteTime(h *layout.Histogram, ns, weight uint64) {
	h.Buckets[layout.LatencyBucket(ns)].AddRelaxed(weight)
	h.Count.AddRelaxed(weight)
	h.Sum.AddRelaxed(ns * weight)
	if ns > h.Max.LoadRelaxed() {
		h.Max.StoreRelaxed(ns)
	}
}
