package natsserver

import (
	"fmt"
	"os"
	"path/filepath"

	"sluice/internal/ofdlock"
)

// lockName is a file in the store directory whose first byte the server keeps locked: nats-server
// itself does not notice that two servers write the same files.
const lockName = "sluice.lock"

// lockStore makes the directory and locks it. The lock ends with the file, which the caller closes.
func lockStore(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make store directory: %w", err)
	}
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("lock store directory: %w", err)
	}
	ok, err := ofdlock.TryLock(f, 0)
	if err == nil && !ok {
		err = fmt.Errorf("%w: %s", ErrStoreTaken, dir)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}
