package main_test

import (
	"testing"

	"sluice/internal/testenv"
)

func TestMain(m *testing.M) {
	testenv.RunChild(testenv.Children{"stage": stage, "linked": linked})
	testenv.MainWithCommands(m)
}

func TestScripts(t *testing.T) { testenv.RunScripts(t) }
