// Package provision is provisioning 2.0 from both of its ends, and 1.0 from the board's: how a board that has a key of its own becomes a device.
//
// A Client is the side of a person: it talks to a board by a serial port, or anything else that carries bytes, claims the board in
// the cloud, tells it the network, and waits until it has come. A Board is the other side: a simulated one, with its keys in a
// secure element, that answers the client, asks the cloud for its certificate, and then can connect as any device:
//
//	board := provision.Board{Identity: identity, HardwareID: id, Cloud: provision.Host{URL: "https://ardesia.example.org", HTTP: web}, Now: time.Now}
//	device, err := board.Serve(ctx, port)
//
// ServeFirst is the same board with the sketch of the first generation, where the client has the request of the board's element signed.
//
// Below both are frames (Append, Reader), messages (Marshal, Unmarshal) and a Link, which sends again what was lost. All are as Arduino's
// boards and programs speak it: device-protocol reference, sections 6.1 and 6.3.
package provision
