package ring

//go:noescape
func prefetchWrite(p *byte, lines int)

func (w *Writer) prefetch() {
	if int64(w.warm-w.tail) < 0 {
		w.warm = w.tail &^ 63
	}
	if w.warm-w.tail < lead && w.warm+stride <= w.limit {
		prefetchWrite(&w.data[w.warm&w.mask], int(stride/64))
		w.warm += stride
	}
}

var stride = envn("ST", 1024)
var lead = envn("LD", 1024)
