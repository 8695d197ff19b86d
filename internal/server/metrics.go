package server

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/ardesia-iot/ardesia/internal/base/mqtt"
)

// metrics are what Prometheus may read. Labels never hold ids: there would be as
// many series as devices.
type metrics struct {
	registry *prometheus.Registry
	requests *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
}

func newMetrics(s *Server) *metrics {
	m := &metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "door_request_total", Help: "API requests by route and status."}, []string{"route", "status"}),
		seconds:  prometheus.NewHistogramVec(prometheus.HistogramOpts{Name: "door_request_seconds", Help: "Time that API requests took.", Buckets: prometheus.ExponentialBuckets(0.0005, 4, 8)}, []string{"route"}),
	}
	m.registry.MustRegister(m.requests, m.seconds, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	gauge := func(name, help string, read func() float64) {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
	}
	counter := func(name, help string, read func() float64) {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, read))
	}
	gauge("device_online", "Devices that are connected.", func() float64 { return float64(s.devices.Online()) })
	gauge("post_letter_waiting", "Letters to people that wait to be sent.", func() float64 { return float64(s.letters.Counts().Waiting) })
	counter("post_letter_sent_total", "Letters that a mail server took.", func() float64 { return float64(s.letters.Counts().Sent) })
	counter("post_letter_failed_total", "Tries to send a letter that failed; there will be another.", func() float64 { return float64(s.letters.Counts().Failed) })
	counter("post_letter_given_up_total", "Letters that nobody will get.", func() float64 { return float64(s.letters.Counts().GivenUp) })
	gauge("mqtt_session", "MQTT sessions.", func() float64 { return float64(s.broker.Stats().Sessions) })
	counter("mqtt_message_received_total", "Messages that clients sent.", func() float64 { return float64(s.broker.Stats().Received) })
	counter("mqtt_message_sent_total", "Messages that were sent to clients.", func() float64 { return float64(s.broker.Stats().Sent) })
	counter("mqtt_message_lost_total", "Messages that a bound or a right kept from a subscriber.", func() float64 { return float64(s.broker.Stats().Lost) })
	counter("mqtt_forbidden_total", "Topics that clients reached for in vain.", func() float64 {
		st := s.broker.Stats()
		return float64(st.ForbiddenPublish + st.ForbiddenSubscribe)
	})
	for why := mqtt.Refusal(1); why < mqtt.Refusals; why++ {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "mqtt_refused_total", Help: "Connections that did not become sessions.",
			ConstLabels: prometheus.Labels{"reason": why.String()}}, func() float64 { return float64(s.broker.Stats().Refused[why]) }))
	}
	for why := range s.authority.Refusals() {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "ca_refused_total", Help: "Board certificates that were refused.",
			ConstLabels: prometheus.Labels{"reason": why}}, func() float64 { return float64(s.authority.Refusals()[why]) }))
	}
	gauge("audit_entry", "Entries in the audit log.", func() float64 { return float64(s.audit.Stats().Size) })
	gauge("audit_entry_waiting", "Entries of the journal that are not in the audit log yet.", func() float64 { return float64(s.audit.Stats().Waiting) })
	gauge("audit_lag_seconds", "Age of the oldest entry that is not in the audit log yet.", func() float64 { return s.audit.Stats().Lag.Seconds() })
	counter("audit_event_total", "Refusals that were counted for the journal.", func() float64 { return float64(s.audit.Stats().Events) })
	m.guard(s.guard)
	counter("device_alert_total", "Devices that connected from two places in turns: credentials that seem stolen.", func() float64 { return float64(s.devices.AlertCount()) })
	updateMetrics(counter, s.ota)
	onboardMetrics(counter, s.onboarding)
	counter("thing_value_total", "Values that devices and people sent.", func() float64 { return float64(s.things.Counts().Values) })
	counter("thing_over_total", "Values that were refused since their space had sent enough that day.", func() float64 { return float64(s.things.Counts().Over) })
	counter("thing_malformed_total", "Messages that could not be read.", func() float64 { return float64(s.things.Counts().Malformed) })
	counter("trigger_fired_total", "Deliveries that triggers decided.", func() float64 { return float64(s.triggers.Counts().Fired) })
	counter("trigger_held_total", "What a trigger's rate or a space's quota kept back.", func() float64 { return float64(s.triggers.Counts().Held) })
	counter("trigger_done_total", "Deliveries of triggers that were taken.", func() float64 { return float64(s.triggers.Counts().Done) })
	counter("trigger_failed_total", "Tries to deliver that failed; there will be another.", func() float64 { return float64(s.triggers.Counts().Failed) })
	counter("trigger_dead_total", "Deliveries of triggers that nobody took in a day.", func() float64 { return float64(s.triggers.Counts().Dead) })
	counter("sync_copies_total", "Values that synchronised properties took from others.", func() float64 { return float64(s.syncs.Counts().Copies) })
	counter("sync_echoes_total", "Values by which boards confirmed what synchronised properties took.", func() float64 { return float64(s.syncs.Counts().Echoes) })
	counter("sync_unfit_total", "Values that a synchronised property cannot hold.", func() float64 { return float64(s.syncs.Counts().Unfit) })
	counter("sync_untold_total", "Values of synchronised properties whose board was not told at once.", func() float64 { return float64(s.syncs.Counts().Untold) })
	counter("hook_queued_total", "Events for webhooks of things and devices.", func() float64 { return float64(s.hooks.Counts().Queued) })
	counter("hook_delivered_total", "Events that webhooks took.", func() float64 { return float64(s.hooks.Counts().Delivered) })
	counter("hook_failed_total", "Tries of webhooks that failed; there will be another.", func() float64 { return float64(s.hooks.Counts().Failed) })
	counter("hook_dropped_total", "Events of webhooks that did not fit in a queue.", func() float64 { return float64(s.hooks.Counts().Dropped) })
	counter("hook_dead_total", "Events of webhooks that nobody took in a day.", func() float64 { return float64(s.hooks.Counts().Dead) })
	counter("homeassistant_sent_total", "Messages to brokers of Home Assistants.", func() float64 { return float64(s.homes.Counts().Sent) })
	counter("homeassistant_command_total", "Commands of Home Assistants that were carried out.", func() float64 { return float64(s.homes.Counts().Taken) })
	counter("homeassistant_refused_total", "Commands of Home Assistants that were refused.", func() float64 { return float64(s.homes.Counts().Refused) })
	gauge("homeassistant_bridge", "Bridges to Home Assistants that are connected.", func() float64 { return float64(s.homes.Counts().Connected) })
	gauge("live_stream", "Live connections over HTTP.", func() float64 { return float64(s.live.Counts().Streams) })
	counter("live_opened_total", "Live connections that were opened.", func() float64 { return float64(s.live.Counts().Opened) })
	counter("live_refused_total", "Live connections that were too many for their person, their space or the server.", func() float64 { return float64(s.live.Counts().Refused) })
	counter("live_value_total", "Values that live connections were told.", func() float64 { return float64(s.live.Counts().Values) })
	counter("live_lost_total", "Times that a live connection had to fetch again since it was too slow, or came back too late.", func() float64 { return float64(s.live.Counts().Lost) })
	counter("series_point_total", "Points that are on disk.", func() float64 { return float64(s.series.Stats().Points) })
	counter("series_commit_total", "Group commits.", func() float64 { return float64(s.series.Stats().Commits) })
	counter("series_point_failed_total", "Points that could not be written, and were not acknowledged.", func() float64 { return float64(s.series.Stats().FailedPoints) })
	counter("series_followed_skipped_total", "Damaged parts of followed values that triggers and webhooks were not told of.", func() float64 { return float64(s.series.Stats().SkippedSections) })
	counter("series_flush_failed_total", "Moves of points from the log to chunks that failed; they are tried again.", func() float64 { return float64(s.series.Stats().FailedFlushes) })
	gauge("series_log_points", "Points in the log that wait to be moved to chunks.", func() float64 { return float64(s.series.Stats().LogPoints) })
	gauge("series_queue_points", "Points that wait for a commit.", func() float64 { return float64(s.series.Stats().QueuedPoints) })
	gauge("series_commit_seconds", "How long the last commit took.", func() float64 { return s.series.Stats().LastCommit.Seconds() })
	return m
}

// request counts one request to the API.
func (m *metrics) request(route string, status int, took time.Duration) {
	if route == "" {
		route = "none"
	}
	m.requests.WithLabelValues(route, strconv.Itoa(status)).Inc()
	m.seconds.WithLabelValues(route).Observe(took.Seconds())
}

func (m *metrics) handler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	return mux
}
