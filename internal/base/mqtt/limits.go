package mqtt

import (
	"runtime"
	"time"
)

// Limits bound what peers can make the broker hold and do. A zero field is the
// default in its comment.
type Limits struct {
	// Before CONNACK. Addresses are single for IPv4 and /64 for IPv6; loopback has
	// no limits of its own, because a proxy or a test stands behind it.

	Connections       int           // open in total: 50,000
	PerAddress        int           // open from one address: 2,000 (a school behind one router)
	ConnectRate       float64       // new ones per second from one address: 50
	ConnectBurst      int           // above that rate at once: 500
	Opening           int           // accepted and not yet answered by CONNACK; more wait in the accept queue: 512
	OpeningPerAddress int           // of those from one address: 128
	Handshakes        int           // that compute at the same moment: 2 per core
	ConnectTimeout    time.Duration // from accept to the last byte of CONNECT: 10 s
	ConnectBytes      int           // of a CONNECT: 4,096

	// After CONNACK, each for one session unless it says otherwise.

	PacketBytes    int           // of a packet that we read: 65,536
	PacketTimeout  time.Duration // to finish a packet that was begun: 30 s
	TopicBytes     int           // of a topic or a filter: 256; longer ones exist for nobody
	Subscriptions  int           // filters: 256; more are granted and mute
	InFlight       int           // messages read and not yet acknowledged; then reading stops: 1,024
	InFlightBytes  int           // of their payloads: 1 MiB
	PendingWrites  int           // messages that wait to be sent: 64; then QoS 0 is lost and QoS 1 ends the session
	PendingBytes   int           // of those: 256 KiB
	Window         int           // messages sent with QoS 1 or 2 and not yet acknowledged: 32
	WriteTimeout   time.Duration // that a write may hang: 20 s
	UserSessions   int           // of one user: 64
	RightsFor      time.Duration // that an answer of MayPublish or MaySubscribe is kept: 1 minute
	SilentFor      time.Duration // that a client may be silent until it first publishes or pings: 0 is as long as TCP holds (trap 4)
	OfflineFor     time.Duration // that a device's unclean session is kept after its connection: 1 hour, in memory
	OfflineDevices int           // that have such a session, in total: 10,000
	StopTimeout    time.Duration // for acknowledgements that are under way when the broker stops: 10 s
}

func def[T int | float64 | time.Duration](field *T, value T) {
	if *field == 0 {
		*field = value
	}
}

// withDefaults is l with every zero replaced, except where zero has a meaning.
func (l Limits) withDefaults() Limits {
	def(&l.Connections, 50_000)
	def(&l.PerAddress, 2_000)
	def(&l.ConnectRate, 50)
	def(&l.ConnectBurst, 500)
	def(&l.Opening, 512)
	def(&l.OpeningPerAddress, 128)
	def(&l.Handshakes, 2*runtime.GOMAXPROCS(0))
	def(&l.ConnectTimeout, 10*time.Second)
	def(&l.ConnectBytes, 4<<10)
	def(&l.PacketBytes, 64<<10)
	def(&l.PacketTimeout, 30*time.Second)
	def(&l.TopicBytes, 256)
	def(&l.Subscriptions, 256)
	def(&l.InFlight, 1024)
	def(&l.InFlightBytes, 1<<20)
	def(&l.PendingWrites, 64)
	def(&l.PendingBytes, 256<<10)
	def(&l.Window, 32)
	def(&l.WriteTimeout, 20*time.Second)
	def(&l.UserSessions, 64)
	def(&l.RightsFor, time.Minute)
	def(&l.OfflineFor, time.Hour)
	def(&l.OfflineDevices, 10_000)
	def(&l.StopTimeout, 10*time.Second)
	// CONNACK tells this number in two bytes (MQTT 5, section 3.2.2.3.3).
	l.InFlight = min(l.InFlight, 65_535)
	return l
}

// ticks is d in the janitor's seconds, rounded up.
func ticks(d time.Duration) int64 {
	return int64((d + time.Second - 1) / time.Second)
}
