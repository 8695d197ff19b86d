// Package device knows the boards of each space: what they are, whether they are
// connected, how they prove who they are, and what they say of themselves.
//
// Invariants:
//   - A device belongs to one space for ever. Every query names the space, except
//     the one that finds a device by its ID when it connects.
//   - Name, serial number, hardware id, addresses, tags and what the board reports
//     are sealed under the device's own key, which goes with the device and with its space.
//   - A secret key is never stored and cannot be read again; what is stored is a
//     keyed hash that is bound to the device.
//   - One session per device: the last one that connected. Whether a device is
//     online is held in memory and is true at once; comings and goings reach the
//     disk in batches, and before anyone is shown them.
//   - Deleting is an intent first: a row that is leaving is finished by Repair.
//   - What a board reports at QoS 1 is on disk before it is acknowledged.
//
// Tables: device, device_status.
// Topics: /a/d/{device}/c/up, c/dw, e/o, e/i (see fleet/topic).
// Routes: /iot/v2/devices and below, except certs, which are the room ca's;
// /iot/v1/network_credentials.
package device
