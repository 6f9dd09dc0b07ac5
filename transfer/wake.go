package transfer

// nudge signals on a channel with room for one signal.
func nudge(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
