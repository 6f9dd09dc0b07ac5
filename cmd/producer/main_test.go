package main_test

import (
	"testing"

	"sluice/internal/testenv"
)

func TestMain(m *testing.M) { testenv.MainWithCommands(m) }

func TestScripts(t *testing.T) { testenv.RunScripts(t) }
