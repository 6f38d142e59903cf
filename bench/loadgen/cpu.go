package main

// Processor time of the servers, of the generator and of everything else, from /proc.

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

const ticksPerSecond = 100 // USER_HZ, which Linux fixes for /proc

// procSet names groups of processes: name=pid+pid,name=pid*. A star takes in the
// descendants: a PostgreSQL server is one process per connection.
type procSet map[string][]procRef

type procRef struct {
	pid  int
	tree bool
}

func parseProcs(s string) procSet {
	ps := procSet{}
	for _, entry := range strings.Split(s, ",") {
		if name, pids, ok := strings.Cut(entry, "="); ok {
			for _, p := range strings.Split(pids, "+") {
				if n, err := strconv.Atoi(strings.TrimSuffix(p, "*")); err == nil {
					ps[name] = append(ps[name], procRef{n, strings.HasSuffix(p, "*")})
				}
			}
		}
	}
	return ps
}

func (p procRef) cpu() float64 {
	if !p.tree {
		fields := procStat(p.pid)
		return seconds(fields, 11) + seconds(fields, 12)
	}
	children := map[int][]int{}
	entries, _ := os.ReadDir("/proc")
	for _, entry := range entries {
		if pid, err := strconv.Atoi(entry.Name()); err == nil {
			if fields := procStat(pid); fields != nil {
				parent, _ := strconv.Atoi(fields[1])
				children[parent] = append(children[parent], pid)
			}
		}
	}
	// Fields 13 and 14 are the children that have ended and been waited for.
	var sum func(pid int) float64
	sum = func(pid int) float64 {
		fields := procStat(pid)
		total := seconds(fields, 11) + seconds(fields, 12) + seconds(fields, 13) + seconds(fields, 14)
		for _, child := range children[pid] {
			total += sum(child)
		}
		return total
	}
	return sum(p.pid)
}

// procStat is the fields of /proc/<pid>/stat behind the command's name, or nil where there is no such process.
func procStat(pid int) []string {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return nil
	}
	return strings.Fields(string(b[bytes.LastIndexByte(b, ')')+2:]))
}

func seconds(fields []string, i int) float64 {
	if i >= len(fields) {
		return 0
	}
	v, _ := strconv.ParseFloat(fields[i], 64)
	return v / ticksPerSecond
}

func machineCPU() (busy, steal float64) {
	b, _ := os.ReadFile("/proc/stat")
	f := strings.Fields(strings.SplitN(string(b), "\n", 2)[0])
	var v [9]float64
	for i := 1; i < 9 && i < len(f); i++ {
		v[i], _ = strconv.ParseFloat(f[i], 64)
	}
	return (v[1] + v[2] + v[3] + v[6] + v[7]) / ticksPerSecond, v[8] / ticksPerSecond
}

func selfCPU() float64 {
	var ru syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &ru)
	return float64(ru.Utime.Nano()+ru.Stime.Nano()) / 1e9
}

type cpuSnap struct {
	at                time.Time
	proc              map[string]float64
	self, busy, steal float64
}

func snap(ps procSet) cpuSnap {
	s := cpuSnap{at: time.Now(), proc: map[string]float64{}}
	for name, pids := range ps {
		for _, p := range pids {
			s.proc[name] += p.cpu()
		}
	}
	s.self = selfCPU()
	s.busy, s.steal = machineCPU()
	return s
}

// resident is the memory of the named processes that is in RAM, in bytes.
func resident(ps procSet, name string) float64 {
	var bytes float64
	for _, p := range ps[name] {
		text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.pid))
		for _, line := range strings.Split(string(text), "\n") {
			if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
				kib, _ := strconv.ParseFloat(strings.Fields(value)[0], 64)
				bytes += kib * 1024
			}
		}
	}
	return bytes
}
