package shm

// Option is an Access or a Populate, for Create and Open. Of several of a kind the last one counts.
type Option interface{ set(*options) }

type options struct {
	access   Access
	populate Populate
}

func (a Access) set(o *options)   { o.access = a }
func (p Populate) set(o *options) { o.populate = p }

func optionsOf(with []Option) (o options) {
	for _, option := range with {
		option.set(&o)
	}
	return o
}
