// Package mqtttest speaks MQTT 3.1.1 and 5 packet by packet, for tests of the
// broker and of what stands on it. It is written from the specification and shares
// no code with the broker, so that a mistake of one is seen by the other. It is
// not a client for anything else: it has no reconnect, no queue and no keep-alive.
package mqtttest
