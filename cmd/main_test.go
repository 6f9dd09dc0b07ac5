// Package cmd_test runs a producer and a consumer together, as a user does: built, in
// processes of their own, over segments in /dev/shm. What concerns one command alone is
// tested beside it.
package cmd_test

import (
	"testing"

	"sluice/internal/testenv"
)

func TestMain(m *testing.M) { testenv.MainWithCommands(m, "./cmd/bridge") }
