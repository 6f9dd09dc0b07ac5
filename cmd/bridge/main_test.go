package main_test

import (
	"testing"

	"sluice/internal/testenv"
)

func TestMain(m *testing.M) { testenv.MainWithCommands(m, "./cmd/bridge") }

func TestScripts(t *testing.T) { testenv.RunScripts(t) }
