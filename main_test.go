package sluice_test

import (
	"testing"

	"sluice/internal/testenv"
)

func TestMain(m *testing.M) {
	testenv.Main(m, testenv.Children{"stage": runStage, "stage of values": runStageOf})
}
