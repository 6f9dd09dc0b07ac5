package main

import "fmt"

// runA sends to B, or measures round trips, and prints the result.
func runA(j job, name string) error {
	if err := pinProcess(j.cpu[0]); err != nil {
		return err
	}
	there, err := j.create(name)
	if err != nil {
		return err
	}
	b, err := startB(j.cpu[1])
	if err != nil {
		return err
	}
	if _, err := b.report(); err != nil { // B has opened its segments
		return err
	}
	send := there.send
	var back receiver
	if j.roundtrip {
		if back, err = j.open(name + ".back"); err != nil {
			return err
		}
		send = func(n uint64) error { return ask(j, n, there, back) }
	}

	if err := send(j.warmUp()); err != nil {
		return err
	}
	if _, err := b.report(); err != nil { // B has read the warm-up
		return err
	}
	watch := startWatch()
	if j.period > 0 {
		send = func(n uint64) error { return j.pace(there, n) }
	}
	if err := send(j.messages); err != nil {
		return err
	}
	ended := now()
	atB, err := b.report()
	if err != nil {
		return err
	}
	if !j.roundtrip {
		ended = atB.ended
	}
	fmt.Printf("%.6f %.6f", ended-watch.began, watch.used()+atB.used)
	if j.period > 0 {
		fmt.Printf(" %.3f %.3f", atB.half, atB.most)
	}
	fmt.Println()

	if err := there.Close(); err != nil {
		return err
	}
	if j.roundtrip {
		err = back.Close()
	}
	<-b.gone
	return err
}

// runB reads, or echoes, and reports to A on its standard output.
func runB(j job, name string) error {
	there, err := j.open(name)
	if err != nil {
		return err
	}
	read := there.read
	var back sender
	if j.roundtrip {
		if back, err = j.create(name + ".back"); err != nil {
			return err
		}
		read = func(n uint64) (uint64, error) { return echo(n, there, back) }
	}
	report{}.print()

	if _, err := read(j.warmUp()); err != nil {
		return err
	}
	report{}.print()
	var responses []uint64
	if j.period > 0 {
		responses = make([]uint64, j.messages)
		read = func(uint64) (uint64, error) { return j.timeAll(there, responses) }
	}
	watch := startWatch()
	sum, err := read(j.messages)
	if err != nil {
		return err
	}
	result := report{ended: now(), used: watch.used()}
	// One of the two is even; their product does not fit from 6 thousand million messages on.
	one, other := j.messages, j.messages-1
	if one%2 == 0 {
		one /= 2
	} else {
		other /= 2
	}
	if want := j.words() * one * other; sum != want {
		return fmt.Errorf("the sum is %d, not %d", sum, want)
	}
	if responses != nil {
		result.half, result.most = percentiles(responses)
	}
	result.print()

	if j.roundtrip {
		if err := back.Close(); err != nil {
			return err
		}
	}
	return there.Close()
}

// ask sends each message and waits for its echo.
func ask(j job, n uint64, there sender, back receiver) error {
	for i := range n {
		if err := there.sendOne(i); err != nil {
			return err
		}
		sum, err := back.readOne()
		if err != nil {
			return err
		}
		if sum != j.words()*i {
			return fmt.Errorf("echo %d is not what was sent", i)
		}
	}
	return nil
}

func echo(n uint64, there receiver, back sender) (sum uint64, err error) {
	for i := range n {
		one, err := there.readOne()
		if err != nil {
			return 0, err
		}
		sum += one
		if err = back.sendOne(i); err != nil {
			return 0, err
		}
	}
	return sum, nil
}
