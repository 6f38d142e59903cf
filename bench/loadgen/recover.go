package main

// Sockets that are cut and come back, each judged by the sequence numbers that it got; and sockets that do nothing.

import (
	"bytes"
	"slices"
	"sync"
	"time"
)

var versionKey = []byte(`"version":`)

// record notes a message of a tracked socket; `rest` is the frame behind the text's marks. The loop's stat is held.
func (c *Conn) record(sq int64, rest []byte, now int64) {
	c.seqs = append(c.seqs, sq)
	if i := bytes.Index(rest, versionKey); i >= 0 {
		c.version, _ = leadingInt(rest[i+len(versionKey):])
	}
	if sq == c.target {
		c.caughtAt = now
	}
}

func awaitCaughtUp(conns []*Conn, longest time.Duration) {
	for deadline := time.Now().Add(longest); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if countCaughtUp(conns) == len(conns) {
			return
		}
	}
}

func countCaughtUp(conns []*Conn) (n int) {
	for _, c := range conns {
		c.loop.stat.Lock()
		if c.caughtAt > 0 {
			n++
		}
		c.loop.stat.Unlock()
	}
	return n
}

// publishers send for the sockets of a room and stay when those are cut; they are the users of the first sockets.
type publishers struct {
	conns  []*Conn
	mu     sync.Mutex
	byRoom [][]int64
}

func newPublishers(rooms []string) *publishers {
	p := &publishers{byRoom: make([][]int64, len(rooms))}
	for i, room := range rooms {
		p.conns = append(p.conns, &Conn{idx: i, addr: *flagAddr, room: room, loop: loop})
	}
	return p
}

func (p *publishers) send(room int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := seq.Add(1)
	p.byRoom[room] = append(p.byRoom[room], s)
	c := p.conns[room]
	send(c, s, makeText(c.idx, s, time.Now().UnixNano()))
}

func (p *publishers) last(room int) int64 { return p.byRoom[room][len(p.byRoom[room])-1] }

const pauseBetweenMissed = 5 * time.Millisecond

func measureRecovery(rooms []string) {
	procs := parseProcs(*flagProcs)
	pubs := newPublishers(rooms)
	for _, c := range conns {
		c.track = true
	}
	mustConnect(pubs.conns)
	mustConnect(conns)
	for range 3 {
		for room := range rooms {
			pubs.send(room)
			time.Sleep(time.Millisecond)
		}
	}
	time.Sleep(1500 * time.Millisecond)
	for _, c := range conns {
		loop.cut(c)
	}
	time.Sleep(time.Second)
	for range *flagMissed {
		for room := range rooms {
			pubs.send(room)
		}
		time.Sleep(pauseBetweenMissed)
	}
	time.Sleep(500 * time.Millisecond)
	for i, c := range conns {
		c.loop.stat.Lock()
		c.target = pubs.last(i % len(rooms))
		c.loop.stat.Unlock()
	}

	stop := make(chan struct{})
	var live sync.WaitGroup
	live.Add(1)
	go func() {
		defer live.Done()
		ticker := time.NewTicker(time.Second / time.Duration(max(1, *flagLive)))
		defer ticker.Stop()
		for n := 0; *flagLive > 0; n++ {
			select {
			case <-stop:
				return
			case <-ticker.C:
				pubs.send(n % len(rooms))
			}
		}
	}()
	r := newResult(rooms)
	a := snap(procs)
	begun := time.Now()
	err := connectAll(conns)
	allJoined := time.Since(begun)
	awaitCaughtUp(conns, 30*time.Second)
	b := snap(procs)
	time.Sleep(500 * time.Millisecond)
	close(stop)
	live.Wait()
	time.Sleep(1500 * time.Millisecond)

	var exact, missing int
	var caught []int32
	for i, c := range conns {
		c.loop.stat.Lock()
		want := pubs.byRoom[i%len(rooms)]
		if slices.Equal(c.seqs, want) {
			exact++
		}
		missing += max(0, len(want)-len(c.seqs))
		if c.caughtAt > 0 {
			caught = append(caught, int32((c.caughtAt-begun.UnixNano())/1000))
		}
		c.loop.stat.Unlock()
	}
	if err != nil {
		logf("%v", err)
	}
	slices.Sort(caught)
	r.Sent = seq.Load() - joinRef
	r.P50Ms, r.P90Ms, r.P99Ms, r.MaxMs = percentile(caught, .5), percentile(caught, .9), percentile(caught, .99), percentile(caught, 1)
	r.processorTime(a, b)
	r.Extra = map[string]float64{
		"exact": float64(exact), "missing": float64(missing), "caughtUp": float64(len(caught)), "allJoinedS": round(allJoined.Seconds()),
	}
	r.print()
}

const idleMeasure = 20 * time.Second

func measureIdle(rooms []string) {
	procs := parseProcs(*flagProcs)
	// The first sockets bring code and rooms into memory that the others share.
	first := min(200, len(conns)/2)
	mustConnect(conns[:first])
	time.Sleep(3 * time.Second)
	rssBefore := resident(procs, *flagServer)
	a := snap(procs)
	mustConnect(conns[first:])
	b := snap(procs)
	time.Sleep(*flagStep)
	rssAfter := resident(procs, *flagServer)
	c := snap(procs)
	time.Sleep(idleMeasure)
	d := snap(procs)
	rssSettled := resident(procs, *flagServer)
	r := newResult(rooms)
	r.processorTime(c, d)
	count := float64(len(conns) - first)
	r.Extra = map[string]float64{
		"bytesPerSocket":        round((rssSettled - rssBefore) / count),
		"bytesPerSocketAtFirst": round((rssAfter - rssBefore) / count),
		"rssBefore":             rssBefore, "rssSettled": rssSettled,
		"connectS":            round(b.at.Sub(a.at).Seconds()),
		"connectMsEach":       round((b.proc[*flagServer] - a.proc[*flagServer]) / count * 1000),
		"idleUsPerSAndSocket": round((d.proc[*flagServer] - c.proc[*flagServer]) / idleMeasure.Seconds() / float64(len(conns)) * 1e6),
	}
	r.print()
}
