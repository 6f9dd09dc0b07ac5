package cli

import (
	"flag"
	"strings"
	"testing"
	"time"

	urfave "github.com/urfave/cli/v2"
)

// What is wrong for a kind of flag is refused, with the bound that is checked or an
// example, and changes nothing.
func TestValues_Refused(t *testing.T) {
	const tooLong = "want one <= 2562047h47m16.854775807s"
	for _, kind := range []struct {
		name    string
		value   urfave.Generic
		refuses [][2]string
	}{
		{"a time", &timeValue{5 * time.Second, 0}, [][2]string{
			{"", "examples"}, {" ", "examples"}, {" 5s", "examples"}, {"5s ", "examples"}, {"5", "examples"}, {"5s,", "examples"}, {"NaN", "examples"},
			{"9999999h", tooLong}, {"1e9h", "examples"}, {"99999999999999999999ns", tooLong}, {"-1ns", "want one >= 0"}, {"-5s", "want one >= 0"}}},
		{"a time but 0", &timeValue{5 * time.Second, 1}, [][2]string{{"0", "want one > 0"}, {"0s", "want one > 0"}, {"-1s", "want one > 0"}}},
		{"a long time", &timeValue{5 * time.Second, time.Second}, [][2]string{{"999ms", "want one >= 1s"}, {"0", "want one >= 1s"}, {"-1s", "want one >= 1s"}}},
		{"an integer", &integer{5, 0, 1<<64 - 1}, [][2]string{
			{"", ">= 0"}, {" ", "examples"}, {" 5", "examples"}, {"5 ", "examples"}, {"-1", ">= 0"}, {"1.5", "examples"}, {"1e3", "examples"}, {"0x10", "examples"}, {"NaN", "examples"},
			{"18446744073709551616", "<= 18446744073709551615"}}},
		{"an integer from 1 to 9", &integer{5, 1, 9}, [][2]string{
			{"0", ">= 1"}, {"-1", ">= 1"}, {"10", "<= 9"}, {"18446744073709551616", "<= 9"}}},
		{"a number", &decimal{5}, [][2]string{
			{"", "examples"}, {" ", "examples"}, {" 5", "examples"}, {"NaN", "examples"}, {"Inf", "examples"}, {"-Inf", "examples"}, {"1e999", "examples"},
			{"0x10", "examples"}, {"1_000", "examples"}, {"-1", "want one >= 0"}}},
		{"a share", &share{50}, [][2]string{
			{"", "examples"}, {"%", "examples"}, {"50", "examples"}, {"0.5", "examples"}, {" 50%", "examples"}, {"50 %", "examples"}, {"NaN%", "examples"}, {"Inf%", "examples"},
			{"--5%", "examples"}, {"0%", "want one > 0% and <= 100%"}, {"-5%", "want one > 0% and <= 100%"}, {"100.5%", "want one > 0% and <= 100%"}}},
		{"a size", &Size{5}, [][2]string{
			{"", "examples"}, {" ", "examples"}, {" 5", "examples"}, {"NaN", "examples"}, {"-1", "examples"}, {"+1", "examples"}, {"0.5", "examples"},
			{"1XiB", "examples"}, {"99999999999999999999", "examples"}, {"1e30", "examples"}}},
		{"weights", WeightsFlag().(*urfave.GenericFlag).Value, [][2]string{
			{"", "examples"}, {"a", "examples"}, {"=1", "bad segment name"}, {"a/b=1", "bad segment name"}, {".a=1", "dot"}, {"a=", ">= 1"}, {"a=0", ">= 1"}, {"a=1001", "<= 1000"}, {"a=-1", ">= 1"},
			{"a=1.5", "examples"}, {"a=1=2", "examples"}, {"a=1,", "examples"}, {"a=1,b", "examples"}, {"a=1, b=2", "bad segment name"}}},
	} {
		before := kind.value.String()
		for _, r := range kind.refuses {
			err := kind.value.Set(r[0])
			if err == nil || !strings.Contains(err.Error(), r[1]) || kind.value.String() != before {
				t.Errorf("%s %q: %v, and is %v; want %q", kind.name, r[0], err, kind.value, r[1])
			}
		}
	}
}

// Of several weights the first that matches counts; a comma is as good as another flag.
func TestWeights_FirstMatchCounts(t *testing.T) {
	f := WeightsFlag().(*urfave.GenericFlag)
	for _, s := range []string{"a=5,b*=7", "*=1000"} {
		if err := f.Value.Set(s); err != nil {
			t.Fatal(err)
		}
	}
	set := flag.NewFlagSet("", flag.ContinueOnError)
	if err := f.Apply(set); err != nil {
		t.Fatal(err)
	}
	w, err := GetWeights(urfave.NewContext(nil, set, nil))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]int{"a": 5, "ab": 1000, "b": 7, "bb": 7} {
		if got := w.Of(name); got != want {
			t.Errorf("%s: %d, want %d", name, got, want)
		}
	}
	if got := (Weights{}).Of("a"); got != 1 {
		t.Errorf("without weights: %d", got)
	}
}
