package futex_test

import (
	"fmt"
	"sync/atomic"

	"sluice/internal/futex"
)

// A wait for another goroutine, or another process that maps the same word.
func ExampleWait() {
	var word uint32
	go func() {
		atomic.StoreUint32(&word, 1)
		futex.Wake(&word, -1)
	}()
	for atomic.LoadUint32(&word) == 0 { // a Wait may end without a reason
		if _, err := futex.Wait(&word, 0, -1); err != nil {
			fmt.Println(err)
			return
		}
	}
	result, _ := futex.Wait(&word, 0, -1)
	fmt.Println(word, result)
	// Output: 1 not-equal
}
