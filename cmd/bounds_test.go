package cmd_test

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sluice/internal/testenv"
	"sluice/layout"
)

// The largest values of the kinds of flags.
const (
	maxTime    = "2562047h47m16.854775807s"
	maxInteger = "18446744073709551615"
)

// A refusal: the value, and what it says is wanted.
type refusal struct{ value, says string }

// A row is a flag of a command. Its bounds are among the values that it takes, and what is
// next to them is refused with a text that says the bound. What is wrong for every flag of a
// kind is tested in package command.
type boundsRow struct {
	command []string
	flag    string
	with    []string // other flags that it needs
	takes   []string
	refuses []refusal
}

func boundsRows(file string) (rows []boundsRow) {
	transfer, input := []string{"--mode", "transfer"}, []string{"--input", file}
	beyond := func(value, says string) []refusal { return []refusal{{value, says}} }
	for _, side := range []string{"producer", "consumer"} {
		side := []string{side}
		rows = append(rows,
			boundsRow{side, "report", nil, []string{"0", "1ns", maxTime}, beyond("-1ns", "want one >= 0")},
			boundsRow{side, "duration", nil, []string{"0", "1m"}, beyond("-1ns", "want one >= 0")},
			boundsRow{side, "spin", nil, []string{"0", "1ns", maxTime}, beyond("-1ns", "want one >= 0")},
			boundsRow{side, "count", nil, []string{"0", maxInteger}, beyond("18446744073709551616", "want an integer <= "+maxInteger)},
			boundsRow{side, "rate", nil, []string{"0", "5e-324", "1e308"}, beyond("-1e-9", "want one >= 0")},
		)
	}
	// A bridge that is stopped at once connects to nothing and succeeds.
	stopped := []string{"--stream", "S", "--nats", "nats://127.0.0.1:1", "--duration", "1ms"}
	for _, direction := range []string{"out", "in"} {
		side := []string{"bridge", direction}
		rows = append(rows,
			boundsRow{side, "report", stopped, []string{"0", "1ns", maxTime}, beyond("-1ns", "want one >= 0")},
			boundsRow{side, "duration", stopped[:4], []string{"1ns"}, beyond("-1ns", "want one >= 0")},
			boundsRow{side, "spin", stopped, []string{"0", "1ns", maxTime}, beyond("-1ns", "want one >= 0")},
		)
	}
	out, in, serve := []string{"bridge", "out"}, []string{"bridge", "in"}, []string{"bridge", "serve"}
	rows = append(rows,
		boundsRow{out, "max-bytes", stopped, []string{"1", "9223372036854775807"}, []refusal{{"0", "want 1 to 9223372036854775807 bytes"}, {"9223372036854775808", "want 1 to 9223372036854775807 bytes"}}},
		boundsRow{out, "in-flight", stopped, []string{"1", maxInteger}, beyond("0", "want at least 1 byte")},
		boundsRow{out, "replicas", stopped, []string{"1", "5"}, []refusal{{"0", "want an integer >= 1"}, {"6", "want an integer <= 5"}}},
		boundsRow{in, "capacity", stopped, []string{"4096", "2GiB"}, []refusal{{"4095", "from 4096 to 2147483648"}, {"4GiB", "to 2147483648"}}},
		boundsRow{in, "slots", stopped, []string{"0", "2147483648"}, beyond("2147483649", "more than 2147483648")},
		boundsRow{serve, "max-payload", []string{"--store", "/dev/null/none"}, []string{"1", "64MiB"}, []refusal{{"0", "want 1 to 67108864"}, {"67108865", "want 1 to 67108864"}}},
	)
	producer, consumer := []string{"producer"}, []string{"consumer"}
	return append(rows,
		boundsRow{consumer, "work", nil, []string{"0", maxTime}, beyond("-1ns", "want one >= 0")},
		boundsRow{consumer, "drain", nil, []string{"0", maxTime}, beyond("-1ns", "want one >= 0")},
		boundsRow{producer, "capacity", nil, []string{"4096", "2GiB"}, []refusal{{"4095", "from 4096 to 2147483648"}, {"2048", "from 4096"}, {"4GiB", "to 2147483648"}, {"0", "power of two"}}},
		boundsRow{producer, "block-timeout", []string{"--on-full", "drop"}, []string{"0", "1ns", maxTime}, beyond("-1ns", "want one >= 0")},
		boundsRow{producer, "slots", nil, []string{"0", "2147483648"}, beyond("2147483649", "more than 2147483648")},
		boundsRow{producer, "burst", []string{"--rate", "1"}, []string{"1", "2147483647"}, []refusal{{"0", "want an integer >= 1"}, {"2147483648", "want an integer <= 2147483647"}}},
		boundsRow{producer, "size", []string{"--capacity", "2GiB"}, []string{"8", "2147483640"}, []refusal{{"7", "from 8 to 2147483640"}, {"2147483641", "from 8 to 2147483640"}, {"0", "from 8"}}},
		boundsRow{producer, "size", transfer, []string{"8", "2147483632"}, []refusal{{"7", "from 8 to 2147483632"}, {"2147483633", "from 8 to 2147483632"}}},
		boundsRow{producer, "chunk", input, []string{"1", "2147483640"}, []refusal{{"0", "from 1 to 2147483640"}, {"2147483641", "from 1 to 2147483640"}}},
		boundsRow{producer, "buffer", transfer, []string{"0", "16", "64KiB"}, []refusal{{"15", "from 16 to 2147483647"}, {"2GiB", "from 16 to 2147483647"}}},
		boundsRow{producer, "limit", transfer, []string{"0", "65536", maxInteger}, beyond("65535", "want one >= 65536")},
		boundsRow{producer, "limit", append(transfer, "--buffer", "64KiB"), []string{"131072"}, beyond("131071", "want one >= 131072")},
		boundsRow{producer, "resume-at", append(transfer, "--on-limit", "block"), []string{"0.001%", "12.5%", "100%"}, []refusal{{"0%", "want one > 0% and <= 100%"}, {"101%", "<= 100%"}, {"-5%", "> 0%"}, {"50", "examples: 50%"}}},
		boundsRow{[]string{"gauge", "stat"}, "interval", nil, []string{"1ns"}, []refusal{{"0", "want one > 0"}, {"-1s", "want one > 0"}}},
		boundsRow{[]string{"gauge", "watch"}, "interval", nil, []string{"10ms"}, []refusal{{"9999us", "want one >= 10ms"}, {"-1s", "want one >= 10ms"}}},
		boundsRow{[]string{"gauge", "record"}, "interval", nil, []string{"1ns"}, []refusal{{"0", "want one > 0"}, {"-1s", "want one > 0"}}},
		boundsRow{[]string{"gauge", "record"}, "duration", nil, []string{"0", maxTime}, beyond("-1ns", "want one >= 0")},
	)
}

// The bound that is said is the bound that is checked.
func TestFlags_Bounds(t *testing.T) {
	t.Parallel()
	name, empty := testenv.SegmentName(t), testenv.SegmentName(t)
	testenv.Start(t, "producer", "--name", name, "--rate", "1", "--capacity", "4KiB")
	testenv.Start(t, "consumer", "--name", name)
	testenv.EventuallyHeader(t, name, "the consumer", func(h *layout.Header) bool { return h.ConsumerStats.Generation.Load() == 1 })
	// A value that is taken comes to what is in the way after it: the other processes, a
	// segment that does not exist, a directory that does not.
	for _, row := range boundsRows(testenv.WriteFile(t, []byte("x"))) {
		args, taken := append(row.command[1:], "--name", name), 4
		if row.command[0] == "gauge" {
			args, taken = append(row.command[1:], "--name", empty), 1
		}
		switch { // a bridge does not come to the segment
		case row.command[0] != "bridge":
		case row.command[1] == "serve":
			args, taken = []string{"serve"}, 1
		default:
			args, taken = append(row.command[1:], "--name", empty), 0
		}
		if len(row.command) > 1 && row.command[1] == "record" {
			args = append(args, "--output", filepath.Join(t.TempDir(), "none", "x"))
		}
		args = append(args, row.with...)
		t.Run(fmt.Sprintf("%s --%s", strings.Join(row.command, " "), row.flag), func(t *testing.T) {
			t.Parallel()
			for _, value := range row.takes {
				testenv.Start(t, row.command[0], append(args, "--"+row.flag+"="+value)...).WantExit(taken)
			}
			for _, r := range row.refuses {
				refused(t, testenv.Start(t, row.command[0], append(args, "--"+row.flag+"="+r.value)...), "--"+row.flag+": ", r)
			}
			r, variable := row.refuses[0], variable(row.flag)
			p := testenv.StartWith(t, row.command[0], testenv.Options{Args: args, Env: []string{variable + "=" + r.value}})
			refused(t, p, variable+" in the environment: ", r)
		})
	}
}

// refused expects one line of an error, with the flag first, and perhaps a hint.
func refused(t *testing.T, p *testenv.Process, flag string, r refusal) {
	t.Helper()
	p.WantExit(2)
	said := p.Stderr.String()
	if first, _, _ := strings.Cut(said, "\n"); !strings.Contains(first, "error: "+flag) || !strings.Contains(first, r.says) {
		t.Errorf("%s%q:\n%swant %q", flag, r.value, said, r.says)
	}
}

// A flag that takes a number is in the table.
func TestFlags_BoundsTableHasEveryNumber(t *testing.T) {
	t.Parallel()
	numeric := regexp.MustCompile(`(?m)^  --([a-z-]+) (?:TIME|INTERVAL|N|BYTES)\b`)
	rows := boundsRows("")
	for _, command := range allCommands {
		help, err := exec.Command(testenv.Command(command[0]), append(command[1:], "--help")...).Output()
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range numeric.FindAllStringSubmatch(string(help), -1) {
			if !slices.ContainsFunc(rows, func(r boundsRow) bool { return slices.Equal(r.command, command) && r.flag == m[1] }) {
				t.Errorf("%v --%s is not there", command, m[1])
			}
		}
	}
}
