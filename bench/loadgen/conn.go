package main

// Minimal WebSocket client connections driven by one epoll loop. Purpose: the
// cheapest possible receiver, so that the load generator takes as little as
// possible of the cores that it shares with the server under test.

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

type Conn struct {
	idx           int // also the user number
	fd            int
	room          string
	addr          string
	loop          *Loop
	rest          []byte // incomplete frame left over
	wmu           sync.Mutex
	ready         atomic.Bool
	closed        atomic.Bool
	receiveBuffer int // bytes; 0: the system's own choice

	// What a socket that comes back is judged by; guarded by its loop's stat.
	track    bool
	version  int64   // the newest it has seen
	seqs     []int64 // sequence numbers as they came
	caughtAt int64   // when it had the last missed one
	target   int64   // which one that is

	// closed-loop state: touched by the loop's thread only, after the start
	pendingTime int64
}

type Loop struct {
	ep    int
	conns map[int32]*Conn
	mu    sync.Mutex
	buf   []byte
	stat  sync.Mutex // guards what is measured
	lat   []int32    // µs from send to receipt, current step
	deliv int64      // receipts, current step
	ackL  []int32    // µs from send to ack, current step
}

func newLoop() *Loop {
	ep, err := syscall.EpollCreate1(0)
	if err != nil {
		panic(err)
	}
	l := &Loop{ep: ep, conns: map[int32]*Conn{}, buf: make([]byte, 256<<10)}
	l.lat = make([]int32, 0, 4<<20)
	go l.run()
	return l
}

func (l *Loop) add(c *Conn) {
	l.mu.Lock()
	l.conns[int32(c.fd)] = c
	l.mu.Unlock()
	ev := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(c.fd)}
	if err := syscall.EpollCtl(l.ep, syscall.EPOLL_CTL_ADD, c.fd, &ev); err != nil {
		panic(err)
	}
}

// mute stops reading a socket, as a client does that hangs; unmute goes on.
func (l *Loop) mute(c *Conn) {
	syscall.EpollCtl(l.ep, syscall.EPOLL_CTL_DEL, c.fd, nil)
}

func (l *Loop) unmute(c *Conn) {
	ev := syscall.EpollEvent{Events: syscall.EPOLLIN, Fd: int32(c.fd)}
	syscall.EpollCtl(l.ep, syscall.EPOLL_CTL_ADD, c.fd, &ev)
}

func (l *Loop) run() {
	runtime.LockOSThread()
	evs := make([]syscall.EpollEvent, 512)
	for {
		n, err := syscall.EpollWait(l.ep, evs, -1)
		if err != nil {
			if err == syscall.EINTR {
				continue
			}
			panic(err)
		}
		for i := 0; i < n; i++ {
			l.mu.Lock()
			c := l.conns[evs[i].Fd]
			l.mu.Unlock()
			if c == nil {
				continue
			}
			nr, err := syscall.Read(c.fd, l.buf)
			if err != nil {
				if err == syscall.EAGAIN || err == syscall.EINTR {
					continue
				}
				l.drop(c, err.Error())
				continue
			}
			if nr == 0 {
				l.drop(c, "EOF")
				continue
			}
			l.stat.Lock()
			data := l.buf[:nr]
			if len(c.rest) > 0 {
				c.rest = append(c.rest, data...)
				data = c.rest
			}
			used := l.frames(c, data)
			if used < len(data) {
				if len(c.rest) > 0 {
					m := copy(c.rest, data[used:])
					c.rest = c.rest[:m]
				} else {
					c.rest = append(c.rest[:0], data[used:]...)
				}
			} else {
				c.rest = c.rest[:0]
			}
			l.stat.Unlock()
		}
	}
}

func (l *Loop) drop(c *Conn, why string) {
	if c.closed.Swap(true) {
		return
	}
	l.mu.Lock()
	delete(l.conns, int32(c.fd))
	l.mu.Unlock()
	syscall.Close(c.fd)
	if why != "" {
		drops.Add(1)
		if drops.Load() <= 5 {
			logf("conn %d dropped by server: %s", c.idx, why)
		}
	}
}

// cut ends the connection without a word, as a network does.
func (l *Loop) cut(c *Conn) {
	l.drop(c, "")
	l.stat.Lock()
	c.rest = c.rest[:0]
	l.stat.Unlock()
}

var drops atomic.Int64

func (l *Loop) frames(c *Conn, b []byte) int {
	used := 0
	now := time.Now().UnixNano()
	for {
		p := b[used:]
		if len(p) < 2 {
			return used
		}
		op := p[0] & 15
		n := int(p[1] & 127)
		h := 2
		if n == 126 {
			if len(p) < 4 {
				return used
			}
			n = int(binary.BigEndian.Uint16(p[2:]))
			h = 4
		} else if n == 127 {
			if len(p) < 10 {
				return used
			}
			n = int(binary.BigEndian.Uint64(p[2:]))
			h = 10
		}
		if len(p) < h+n {
			return used
		}
		pl := p[h : h+n]
		switch op {
		case 1, 2:
			onMessage(c, pl, now)
		case 9:
			c.writeFrame(10, pl)
		case 8:
			code := 0
			if len(pl) >= 2 {
				code = int(binary.BigEndian.Uint16(pl))
			}
			l.drop(c, fmt.Sprintf("close %d %s", code, string(pl[min(2, len(pl)):])))
			return len(b)
		}
		used += h + n
	}
}

// writeFrame sends one masked client frame (zero mask: legal, and free).
func (c *Conn) writeFrame(op byte, pl []byte) {
	var hb [14]byte
	hb[0] = 0x80 | op
	h := 2
	switch {
	case len(pl) < 126:
		hb[1] = 0x80 | byte(len(pl))
	case len(pl) < 65536:
		hb[1] = 0x80 | 126
		binary.BigEndian.PutUint16(hb[2:], uint16(len(pl)))
		h = 4
	default:
		hb[1] = 0x80 | 127
		binary.BigEndian.PutUint64(hb[2:], uint64(len(pl)))
		h = 10
	}
	h += 4 // mask 0,0,0,0
	buf := make([]byte, 0, h+len(pl))
	buf = append(buf, hb[:h]...)
	buf = append(buf, pl...)
	c.wmu.Lock()
	defer c.wmu.Unlock()
	for len(buf) > 0 {
		if c.closed.Load() {
			return
		}
		n, err := syscall.Write(c.fd, buf)
		if err != nil {
			if err == syscall.EAGAIN || err == syscall.EINTR {
				time.Sleep(200 * time.Microsecond)
				continue
			}
			return
		}
		buf = buf[n:]
	}
}

func (c *Conn) text(s string) { c.writeFrame(1, []byte(s)) }

// dial: blocking TCP connect + HTTP upgrade, then hand over to the loop.
func (c *Conn) dial() error {
	host, ps, _ := net.SplitHostPort(c.addr)
	port, _ := strconv.Atoi(ps)
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	sa := &syscall.SockaddrInet4{Port: port}
	copy(sa.Addr[:], net.ParseIP(host).To4())
	tv := syscall.Timeval{Sec: 15}
	syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &tv)
	syscall.SetsockoptInt(fd, syscall.IPPROTO_TCP, syscall.TCP_NODELAY, 1)
	if c.receiveBuffer > 0 {
		syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_RCVBUF, c.receiveBuffer)
	}
	if err := syscall.Connect(fd, sa); err != nil {
		syscall.Close(fd)
		return err
	}
	var k [16]byte
	rand.Read(k[:])
	path, extra := upgrade(c)
	req := "GET " + path + " HTTP/1.1\r\nHost: " + c.addr + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " +
		base64.StdEncoding.EncodeToString(k[:]) + "\r\n" + extra + "\r\n"
	if _, err := syscall.Write(fd, []byte(req)); err != nil {
		syscall.Close(fd)
		return err
	}
	buf := make([]byte, 0, 4096)
	tmp := make([]byte, 4096)
	for {
		n, err := syscall.Read(fd, tmp)
		if err == syscall.EINTR {
			continue
		}
		if err != nil || n == 0 {
			syscall.Close(fd)
			return fmt.Errorf("upgrade read: %v n=%d", err, n)
		}
		buf = append(buf, tmp[:n]...)
		if i := bytes.Index(buf, []byte("\r\n\r\n")); i >= 0 {
			if !strings.HasPrefix(string(buf), "HTTP/1.1 101") {
				syscall.Close(fd)
				return errors.New("upgrade refused: " + string(buf[:min(len(buf), 200)]))
			}
			buf = buf[i+4:]
			break
		}
	}
	tv = syscall.Timeval{}
	syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &tv)
	syscall.SetNonblock(fd, true)
	c.fd = fd
	c.rest = append([]byte(nil), buf...)
	c.closed.Store(false)
	c.ready.Store(false)
	onOpen(c)
	if len(c.rest) > 0 { // frames that came with the upgrade answer
		l := c.loop
		l.stat.Lock()
		used := l.frames(c, c.rest)
		m := copy(c.rest, c.rest[used:])
		c.rest = c.rest[:m]
		l.stat.Unlock()
	}
	c.loop.add(c)
	return nil
}
