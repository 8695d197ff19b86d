package main

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// tick is the unit of /proc/PID/stat: USER_HZ is 100 on every Linux we run on (proc(5)).
const tick = 10 * time.Millisecond

// cpuOf is the processor time that a process has used so far; 0 if it is gone.
func cpuOf(pid int) time.Duration {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0
	}
	_, rest, _ := strings.Cut(string(line), ") ") // the name may hold spaces
	f := strings.Fields(rest)
	if len(f) < 13 {
		return 0
	}
	user, _ := strconv.ParseInt(f[11], 10, 64)
	system, _ := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * tick
}

// busy is the processor time that all processes of the machine have used so far.
func busy() time.Duration {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0
	}
	line, _, _ := strings.Cut(string(text), "\n")
	var sum int64
	for i, f := range strings.Fields(line)[1:] {
		if n, err := strconv.ParseInt(f, 10, 64); err == nil && i != 3 && i != 4 && i < 8 { // idle, iowait; guests are in user
			sum += n
		}
	}
	return time.Duration(sum) * tick
}

// residentOf is the memory of a process that is in RAM, in bytes.
func residentOf(pid int) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kib, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kib << 10
		}
	}
	return 0
}

// A measure is what was before a round.
type measure struct {
	pid             int
	at              time.Time
	cpu, all, other time.Duration
}

func meter(pid int) measure {
	return measure{pid: pid, at: time.Now(), cpu: cpuOf(pid), all: busy(), other: cpuOf(pid) + cpuOf(os.Getpid())}
}

// result ends a round of took with n measured. What the server has put off until it is
// alone counts as well.
func (m measure) result(n int64, took time.Duration, lat *histogram) result {
	used := time.Since(m.at)
	others := (busy() - m.all) - (cpuOf(m.pid) + cpuOf(os.Getpid()) - m.other)
	r := result{rate: float64(n) / took.Seconds(), others: max(0, others.Seconds()/used.Seconds())}
	settle(m.pid)
	if n > 0 {
		r.cpu = (cpuOf(m.pid) - m.cpu) / time.Duration(n)
	}
	if lat != nil {
		r.p50, r.p99, r.worst = lat.at(0.5), lat.at(0.99), time.Duration(lat.worst.Load())
	}
	return r
}

// settle waits until a process does next to nothing, at most some seconds.
func settle(pid int) {
	for range 20 {
		before := cpuOf(pid)
		sleep(200 * time.Millisecond)
		if cpuOf(pid)-before <= tick {
			return
		}
	}
}

func sleep(d time.Duration) { time.Sleep(d) }

// files is how many files this process may have open. The runtime has raised that to
// what is allowed.
func files() int {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return 0
	}
	return int(min(l.Cur, 1<<20))
}

// where says on which file system a directory is, and on which device.
func where(dir string) (kind, device string) {
	text, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return "?", "?"
	}
	best := -1
	for line := range strings.Lines(string(text)) {
		f := strings.Fields(line)
		if at := f[1]; len(at) > best && (dir == at || at == "/" || strings.HasPrefix(dir, at+"/")) {
			best, kind, device = len(at), f[2], f[0]
		}
	}
	return kind, device
}
