package bridge_test

import (
	"testing"

	"sluice/internal/testenv"
)

func TestMain(m *testing.M) {
	testenv.Main(m, testenv.Children{"out": outChild, "in": inChild, "server": serverChild})
}
