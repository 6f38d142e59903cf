// Load generator for Roomlog's WebSocket; the standard library only.
//
//	acks     closed loop: every socket waits for its ack before it sends again
//	latency  open loop at -rate messages a second, senders in turn; time to the other members' sockets
//	fanout   the same for each of -rates in turn, time to all members' sockets; the first socket sends, or with -turns all in turn
//	idle     memory and processor time of sockets that have joined and do nothing
//	recover  all sockets are cut, miss -missed messages a room, and come back while -live messages a second go on
//	slow     fanout at -rate, first with all sockets reading, then while every tenth has stopped; those come back at the end
//
// The room ids are given with -rooms, and the users <-users><n> must be members: socket n is in room n mod rooms.
// One line of JSON with the result goes to stdout (fanout: one per rate).
package main

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

var (
	flagAddr   = flag.String("addr", "127.0.0.1:3002", "host:port of the WebSocket; the host as an IPv4 address")
	flagMode   = flag.String("mode", "acks", "acks|latency|fanout|idle|recover|slow")
	flagConns  = flag.Int("conns", 200, "sockets")
	flagRooms  = flag.String("rooms", "", "room ids, separated by commas")
	flagUsers  = flag.String("users", "bench-", "user id before the socket's number")
	flagRate   = flag.Int("rate", 500, "latency: messages per second")
	flagStep   = flag.Duration("step", 10*time.Second, "what is measured")
	flagWarm   = flag.Duration("warm", 3*time.Second, "before it is measured")
	flagProcs  = flag.String("procs", "", "name=pid[+pid],name=pid*: whose processor time to report; a star takes in descendants")
	flagSecret = flag.String("secret", "", "the server's JWT_SECRET")
	flagSize   = flag.Int("size", 200, "bytes of a message")
	flagDial   = flag.Int("dial", 32, "sockets that connect at a time")
	flagRates  = flag.String("rates", "10,50,200,600,1000", "fanout: messages per second, one step each")
	flagTurns  = flag.Bool("turns", false, "fanout: all sockets send in turn, not the first one alone")
	flagMissed = flag.Int("missed", 200, "recover: messages of each room while its sockets are away")
	flagLive   = flag.Int("live", 20, "recover: messages per second over all rooms while they come back")
	flagServer = flag.String("server", "", "idle, slow: the name in -procs whose memory to report")
)

type Result struct {
	Mode            string
	Conns, Rooms    int
	Acks, Refused   int64
	Drops           int64
	Sent, Delivered int64
	Expected        int64
	WallS           float64
	AcksPerS        float64
	DeliveriesPerS  float64
	P50Ms, P90Ms    float64
	P99Ms, MaxMs    float64
	Rate            int                `json:",omitempty"`
	Extra           map[string]float64 `json:",omitempty"`
	LatenessP99Ms   float64            // of the generator itself: how late it sent
	CPU             map[string]float64
	GeneratorCPU    float64
	OtherCPU, Steal float64
}

var (
	started    = time.Now()
	loop       *Loop
	conns      []*Conn
	seq        atomic.Int64
	lo, hi     atomic.Int64 // sequence numbers of the measured step
	readyCount atomic.Int64
	acks       atomic.Int64
	refusals   atomic.Int64
	closedLoop atomic.Bool
	ownToo     atomic.Bool // a sender's own receipt counts as a delivery
	oneSender  atomic.Bool
)

func main() {
	flag.Parse()
	debug.SetGCPercent(800)
	rooms := strings.Split(*flagRooms, ",")
	if *flagRooms == "" || *flagSecret == "" {
		fail("-rooms and -secret are needed")
	}
	seq.Store(joinRef)
	loop = newLoop()
	for i := range *flagConns {
		conns = append(conns, &Conn{idx: i, addr: *flagAddr, room: rooms[i%len(rooms)], loop: loop})
	}
	measure, known := modes[*flagMode]
	if !known {
		fail("unknown -mode")
	}
	measure(rooms)
}

var modes = map[string]func(rooms []string){
	"acks":    joined(measureAcks),
	"latency": joined(measureLatency),
	"fanout":  measureFanout,
	"idle":    measureIdle,
	"recover": measureRecovery,
	"slow":    measureSlow,
}

// joined makes a measurement of sockets that are all in their rooms already.
func joined(measure func(r *Result)) func(rooms []string) {
	return func(rooms []string) {
		mustConnect(conns)
		r := newResult(rooms)
		measure(r)
		r.print()
	}
}

func newResult(rooms []string) *Result {
	return &Result{Mode: *flagMode, Conns: *flagConns, Rooms: len(rooms)}
}

func (r *Result) print() {
	r.Refused, r.Drops = refusals.Load(), drops.Load()
	line, _ := json.Marshal(r)
	fmt.Println(string(line))
}

func measureAcks(r *Result) {
	closedLoop.Store(true)
	for _, c := range conns {
		sendNext(c)
	}
	time.Sleep(*flagWarm)
	a := beginStep(seq.Load()+1, 1<<62)
	acks.Store(0)
	time.Sleep(*flagStep)
	r.Acks = acks.Load()
	b := snap(parseProcs(*flagProcs))
	closedLoop.Store(false)
	endStep(r, a, b, func(l *Loop) []int32 { return l.ackL })
	r.AcksPerS = round(float64(r.Acks) / r.WallS)
}

func measureLatency(r *Result) {
	sendAtRate(*flagRate, *flagWarm)
	time.Sleep(500 * time.Millisecond)
	total := int64(float64(*flagRate) * flagStep.Seconds())
	first := seq.Load() + 1
	a := beginStep(first, first+total)
	lateness := sendAtRate(*flagRate, *flagStep)
	r.Sent = total
	r.Expected = total * int64(r.Conns/r.Rooms-1)
	awaitDelivered(r.Expected)
	b := snap(parseProcs(*flagProcs))
	endStep(r, a, b, func(l *Loop) []int32 { return l.lat })
	r.LatenessP99Ms = latenessP99(lateness)
}

func latenessP99(lateness []int32) float64 {
	slices.Sort(lateness)
	return percentile(lateness, .99)
}

func beginStep(from, to int64) cpuSnap {
	loop.stat.Lock()
	loop.lat, loop.ackL, loop.deliv = loop.lat[:0], loop.ackL[:0], 0
	loop.stat.Unlock()
	lo.Store(from)
	hi.Store(to)
	return snap(parseProcs(*flagProcs))
}

func endStep(r *Result, a, b cpuSnap, of func(*Loop) []int32) {
	loop.stat.Lock()
	times := slices.Clone(of(loop))
	r.Delivered = loop.deliv
	loop.stat.Unlock()
	slices.Sort(times)
	r.P50Ms, r.P90Ms = percentile(times, .5), percentile(times, .9)
	r.P99Ms, r.MaxMs = percentile(times, .99), percentile(times, 1)
	r.processorTime(a, b)
	r.DeliveriesPerS = round(float64(r.Delivered) / r.WallS)
}

func (r *Result) processorTime(a, b cpuSnap) {
	r.WallS = round(b.at.Sub(a.at).Seconds())
	r.CPU = map[string]float64{}
	var servers float64
	for name := range b.proc {
		r.CPU[name] = round(b.proc[name] - a.proc[name])
		servers += b.proc[name] - a.proc[name]
	}
	r.GeneratorCPU = round(b.self - a.self)
	r.OtherCPU = round(b.busy - a.busy - servers - (b.self - a.self))
	r.Steal = round(b.steal - a.steal)
}

func sendNext(c *Conn) {
	s := seq.Add(1)
	c.pendingTime = time.Now().UnixNano()
	send(c, s, makeText(c.idx, s, c.pendingTime))
}

// sendAtRate is an open loop: it sends on time whether or not the server keeps up. It returns how late it was, in µs.
func sendAtRate(rate int, d time.Duration) []int32 {
	start := time.Now()
	total := int64(float64(rate) * d.Seconds())
	lateness := make([]int32, 0, total)
	for k := range total {
		due := start.Add(time.Duration(float64(k) / float64(rate) * 1e9))
		if wait := time.Until(due); wait > 50*time.Microsecond {
			time.Sleep(wait)
		}
		now := time.Now()
		lateness = append(lateness, int32(now.Sub(due).Microseconds()))
		s := seq.Add(1)
		c := conns[0]
		if !oneSender.Load() {
			c = conns[int(s)%*flagConns]
		}
		send(c, s, makeText(c.idx, s, now.UnixNano()))
	}
	return lateness
}

// A text carries when, as what and by whom it was sent: ~T<19 digits ns>S<10 digits>P<5 digits>xxx…
func makeText(sender int, sq int64, at int64) []byte {
	b := make([]byte, 0, *flagSize)
	b = append(b, fmt.Sprintf("~T%019dS%010dP%05d", at, sq, sender)...)
	for len(b) < *flagSize {
		b = append(b, 'x')
	}
	return b
}

var marker = []byte("~T")

func onDeliver(c *Conn, p []byte, now int64) {
	i := bytes.Index(p, marker)
	if i < 0 || len(p) < i+39 {
		return
	}
	q := p[i:]
	at, _ := leadingInt(q[2:21])
	sq, _ := leadingInt(q[22:32])
	sender, _ := leadingInt(q[33:38])
	if c.track {
		c.record(sq, q[39:], now)
	}
	if (int(sender) == c.idx && !ownToo.Load()) || sq < lo.Load() || sq >= hi.Load() {
		return
	}
	c.loop.deliv++
	c.loop.lat = append(c.loop.lat, int32((now-at)/1000))
}

func onReady(c *Conn) {
	if !c.ready.Swap(true) {
		readyCount.Add(1)
	}
}

func onAck(c *Conn, now int64, ok bool) {
	if ok {
		acks.Add(1)
	}
	if closedLoop.Load() {
		c.loop.ackL = append(c.loop.ackL, int32((now-c.pendingTime)/1000))
		sendNext(c)
	}
}

func mustConnect(conns []*Conn) {
	if err := connectAll(conns); err != nil {
		fail(err.Error())
	}
}

// connectAll resolves when all of them have joined their room, those that were connected before not counted.
func connectAll(conns []*Conn) error {
	readyCount.Store(0)
	slots := make(chan struct{}, *flagDial)
	var wg sync.WaitGroup
	for _, c := range conns {
		slots <- struct{}{}
		wg.Add(1)
		go func() {
			defer func() { <-slots; wg.Done() }()
			for try := 0; try < 4; try++ {
				err := c.dial()
				if err == nil {
					return
				}
				if try == 3 {
					logf("conn %d: %v", c.idx, err)
				}
				time.Sleep(100 * time.Millisecond)
			}
		}()
	}
	wg.Wait()
	for deadline := time.Now().Add(60 * time.Second); readyCount.Load() < int64(len(conns)); {
		if time.Now().After(deadline) {
			return fmt.Errorf("only %d of %d sockets joined their room", readyCount.Load(), len(conns))
		}
		time.Sleep(5 * time.Millisecond)
	}
	return nil
}

func awaitDelivered(expected int64) {
	for deadline := time.Now().Add(4 * time.Second); delivered() < expected && time.Now().Before(deadline); {
		time.Sleep(2 * time.Millisecond)
	}
}

func delivered() int64 {
	loop.stat.Lock()
	defer loop.stat.Unlock()
	return loop.deliv
}

func percentile(sorted []int32, p float64) float64 {
	if len(sorted) == 0 {
		return 0
	}
	return float64(sorted[min(int(p*float64(len(sorted))), len(sorted)-1)]) / 1000
}

func round(x float64) float64 { return float64(int64(x*1000+.5)) / 1000 }

func logf(f string, a ...any) {
	fmt.Fprintf(os.Stderr, "[%6.2f] "+f+"\n", append([]any{time.Since(started).Seconds()}, a...)...)
}

func fail(message string) {
	logf("%s", message)
	os.Exit(2)
}
