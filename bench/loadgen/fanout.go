package main

// One message to many sockets: steps of rates, and the same with sockets that have stopped reading.

import (
	"strconv"
	"strings"
	"time"
)

func measureFanout(rooms []string) {
	ownToo.Store(true)
	oneSender.Store(!*flagTurns)
	mustConnect(conns)
	var rates []int
	for _, text := range strings.Split(*flagRates, ",") {
		rate, err := strconv.Atoi(text)
		if err != nil {
			fail("-rates must be numbers")
		}
		rates = append(rates, rate)
	}
	sendAtRate(rates[len(rates)/2], *flagWarm)
	for _, rate := range rates {
		time.Sleep(500 * time.Millisecond)
		r := newResult(rooms)
		measureStep(r, rate, *flagConns/len(rooms))
		r.print()
	}
}

// measureStep sends at that rate for -step and waits until each message has come to that many sockets.
func measureStep(r *Result, rate, receivers int) {
	r.Rate = rate
	r.Sent = int64(float64(rate) * flagStep.Seconds())
	r.Expected = r.Sent * int64(receivers)
	first := seq.Load() + 1
	a := beginStep(first, first+r.Sent)
	lateness := sendAtRate(rate, *flagStep)
	awaitDelivered(r.Expected)
	b := snap(parseProcs(*flagProcs))
	endStep(r, a, b, func(l *Loop) []int32 { return l.lat })
	r.LatenessP99Ms = latenessP99(lateness)
}

const slowEvery = 10
const slowReceiveBuffer = 64 << 10

// measureSlow: the p99 of those that read, without and with others that do not; then those come back after what they last saw.
func measureSlow(rooms []string) {
	ownToo.Store(true)
	oneSender.Store(true)
	procs := parseProcs(*flagProcs)
	var slow []*Conn
	for i, c := range conns {
		if i%slowEvery == slowEvery-1 {
			c.receiveBuffer = slowReceiveBuffer
			c.track = true
			slow = append(slow, c)
		}
	}
	mustConnect(conns)
	sendAtRate(*flagRate, *flagWarm)
	time.Sleep(500 * time.Millisecond)
	before := newResult(rooms)
	measureStep(before, *flagRate, *flagConns)
	before.print()

	for _, c := range slow {
		c.loop.stat.Lock()
		c.seqs = c.seqs[:0]
		c.loop.stat.Unlock()
		c.loop.mute(c)
	}
	firstMissed := seq.Load() + 1
	rss := resident(procs, *flagServer)
	with := newResult(rooms)
	highest := watchMemory(procs, func() { measureStep(with, *flagRate, *flagConns-len(slow)) })
	// Each first reads what the kernel still holds for it, and finds that it was closed; then it comes back.
	gone := drops.Load()
	for _, c := range slow {
		c.loop.unmute(c)
	}
	for deadline := time.Now().Add(15 * time.Second); drops.Load() < gone+int64(len(slow)) && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	closed := drops.Load() - gone
	last := seq.Load()
	for _, c := range slow {
		c.loop.cut(c)
		c.loop.stat.Lock()
		c.target = last
		c.loop.stat.Unlock()
	}
	mustConnect(slow)
	awaitCaughtUp(slow, 30*time.Second)
	var exact float64
	for _, c := range slow {
		c.loop.stat.Lock()
		if isRun(c.seqs, firstMissed, last) {
			exact++
		}
		c.loop.stat.Unlock()
	}
	with.Extra = map[string]float64{
		"slow": float64(len(slow)), "closed": float64(closed), "exact": exact,
		"rssBefore": rss, "rssHighest": highest, "p99Without": before.P99Ms, "p99Ratio": round(with.P99Ms / before.P99Ms),
	}
	with.print()
}

// watchMemory runs the task and returns the highest memory meanwhile.
func watchMemory(procs procSet, task func()) float64 {
	done := make(chan struct{})
	result := make(chan float64)
	go func() {
		var highest float64
		for {
			highest = max(highest, resident(procs, *flagServer))
			select {
			case <-done:
				result <- highest
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	}()
	task()
	close(done)
	return <-result
}

// isRun: every number from first to last once and in order.
func isRun(numbers []int64, first, last int64) bool {
	if int64(len(numbers)) != last-first+1 {
		return false
	}
	for i, n := range numbers {
		if n != first+int64(i) {
			return false
		}
	}
	return true
}
