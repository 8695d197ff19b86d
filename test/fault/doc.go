// Package fault is the house in trouble: simulated boards send through restarts, kill -9,
// revoked certificates, wrong clocks, cut networks, moved things and take-overs, on
// both engines. In the end what was acknowledged to them is compared with what the
// API shows, value by value.
package fault
