package mqtt

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"syscall"
	"testing"
	"time"

	mochi "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/ardesia-iot/ardesia/internal/base/mqtt/mqtttest"
)

// The benchmarks below run client and server in one process, so that CPU per
// message is that of both ends; mochi's own server is measured in the same way
// beside ours. The clients send from memory and only count what comes back.

const (
	benchTopic = "/a/t/8c2f0b1e-2d7a-4f43-9c7e-5d8f0c4b7a11/e/o"
	benchBytes = 50
)

// benchServers are ours and mochi's, by the listener that they have.
func benchServers(b *testing.B, handler func(*keeper)) map[string]func() (net.Conn, mqtttest.Options) {
	s := start(b, func(c *Config, k *keeper) {
		k.publish = func(_ Identity, _ string, _ []byte, _ byte, done func(error)) { done(nil) }
		c.Log = discard
		if handler != nil {
			handler(k)
		}
	})
	plain, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	own := &tls.Config{Certificates: []tls.Certificate{s.authority.Issue(serverName)}}
	m := mochi.New(&mochi.Options{Logger: discard})
	m.Options.Capabilities.MaximumClientWritesPending = 64
	if err := m.AddHook(new(allowAll), nil); err != nil {
		b.Fatal(err)
	}
	if err := m.AddListener(listeners.NewNet("oracle", tls.NewListener(plain, own))); err != nil {
		b.Fatal(err)
	}
	if err := m.Serve(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { m.Close() })
	n := 0
	dial := func(addr string) (net.Conn, mqtttest.Options) {
		n++
		id := fmt.Sprint("board", n)
		conn, err := tls.Dial("tcp", addr, mqtttest.BoardTLS(s.authority.Pool, serverName))
		if err != nil {
			b.Fatal(err)
		}
		return conn, mqtttest.Options{ClientID: id, Username: id, Password: "secret of " + id}
	}
	return map[string]func() (net.Conn, mqtttest.Options){
		"ours":  func() (net.Conn, mqtttest.Options) { return dial(s.nets["secret"].Addr().String()) },
		"mochi": func() (net.Conn, mqtttest.Options) { return dial(plain.Addr().String()) },
	}
}

type allowAll struct{ mochi.HookBase }

func (*allowAll) Provides(b byte) bool {
	return b == mochi.OnConnectAuthenticate || b == mochi.OnACLCheck
}
func (*allowAll) OnConnectAuthenticate(*mochi.Client, packets.Packet) bool { return true }
func (*allowAll) OnACLCheck(*mochi.Client, string, bool) bool              { return true }

func cpu() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func BenchmarkPublishOverTLS(b *testing.B) {
	for _, conns := range []int{1, 100} {
		for _, qos := range []byte{0, 1} {
			for _, window := range []int{1, 20} {
				if qos == 0 && window != 20 {
					continue
				}
				servers := map[string]bool{"ours": true, "mochi": true}
				for who := range servers {
					b.Run(fmt.Sprintf("%s/%d connections/QoS %d/window %d", who, conns, qos, window), func(b *testing.B) {
						dial := benchServers(b, nil)[who]
						publish(b, dial, conns, qos, window)
					})
				}
			}
		}
	}
}

// publish sends b.N messages from conns connections, each of which has at most
// window under way.
func publish(b *testing.B, dial func() (net.Conn, mqtttest.Options), conns int, qos byte, window int) {
	var clients []*mqtttest.Client
	for range conns {
		conn, o := dial()
		c := mqtttest.New(conn, 4)
		if ack, err := c.Connect(o); err != nil || ack.Code != 0 {
			b.Fatal(err, ack.Code)
		}
		clients = append(clients, c)
	}
	one := mqtttest.PublishPacket(4, benchTopic, make([]byte, benchBytes), qos, 1, false)
	var batch []byte
	for range window {
		batch = append(batch, one...)
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := cpu()
	var wait sync.WaitGroup
	for i, c := range clients {
		messages := b.N / conns
		if i < b.N%conns {
			messages++
		}
		wait.Go(func() {
			acks := make([]byte, 4*window)
			for left := messages; left > 0; {
				n := min(left, window)
				if _, err := c.Conn.Write(batch[:n*len(one)]); err != nil {
					b.Error(err)
					return
				}
				if qos > 0 {
					if _, err := io.ReadFull(c.Conn, acks[:4*n]); err != nil {
						b.Error(err)
						return
					}
				}
				left -= n
			}
			if _, err := c.Conn.Write([]byte{0xc0, 0}); err != nil {
				b.Error(err)
				return
			}
			if _, err := io.ReadFull(c.Conn, acks[:2]); err != nil {
				b.Error(err)
			}
		})
	}
	wait.Wait()
	b.StopTimer()
	b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
	for _, c := range clients {
		c.Conn.Close()
	}
}

// A Handler that is done from another goroutine for many messages at once, as
// the committer of a log is.
func BenchmarkPublishGroupCommit(b *testing.B) {
	queue := make(chan func(error), 4096)
	var committer sync.WaitGroup
	committer.Go(func() {
		for done := range queue {
			done(nil)
			for n := len(queue); n > 0; n-- {
				(<-queue)(nil)
			}
		}
	})
	dial := benchServers(b, func(k *keeper) {
		k.publish = func(_ Identity, _ string, _ []byte, _ byte, done func(error)) { queue <- done }
	})["ours"]
	publish(b, dial, 100, 1, 20)
	close(queue)
	committer.Wait()
}

func BenchmarkConnectOverTLS(b *testing.B) {
	for _, who := range []string{"ours", "mochi"} {
		b.Run(who, func(b *testing.B) {
			dial := benchServers(b, nil)[who]
			before := cpu()
			b.ReportAllocs()
			for b.Loop() {
				conn, o := dial()
				c := mqtttest.New(conn, 4)
				if ack, err := c.Connect(o); err != nil || ack.Code != 0 {
					b.Fatal(err)
				}
				conn.Close()
			}
			b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

func BenchmarkSend(b *testing.B) {
	for name, subscribers := range map[string]int{"to nobody": 0, "to one": 1, "to ten": 10} {
		b.Run(name, func(b *testing.B) {
			s := start(b)
			for range subscribers {
				c := s.user("anna", "anna", 4)
				if _, err := c.Subscribe(1, mqtttest.Filter{Name: benchTopic}); err != nil {
					b.Fatal(err)
				}
				go io.Copy(io.Discard, c.Conn)
			}
			payload := make([]byte, benchBytes)
			b.ReportAllocs()
			for b.Loop() {
				s.b.Send(benchTopic, payload, 0)
			}
		})
	}
}

// BenchmarkIdle reports the heap and stacks of a connection with TLS and two
// subscriptions, both ends; the client's end alone is measured without a broker.
func BenchmarkIdle(b *testing.B) {
	for _, who := range []string{"ours", "mochi"} {
		b.Run(who, func(b *testing.B) {
			dial := benchServers(b, nil)[who]
			const conns = 500
			var keep []net.Conn
			before := inUse()
			for range conns {
				conn, o := dial()
				c := mqtttest.New(conn, 4)
				if _, err := c.Connect(o); err != nil {
					b.Fatal(err)
				}
				if _, err := c.Subscribe(1, mqtttest.Filter{Name: "/a/d/" + o.ClientID + "/c/dw"}, mqtttest.Filter{Name: "/a/t/" + o.ClientID + "/e/i"}); err != nil {
					b.Fatal(err)
				}
				keep = append(keep, conn)
			}
			for b.Loop() {
			}
			b.ReportMetric(float64(inUse()-before)/conns, "B/conn")
			for _, c := range keep {
				c.Close()
			}
		})
	}
}

func inUse() int64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapInuse + m.StackInuse)
}
