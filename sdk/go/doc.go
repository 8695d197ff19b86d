// Package device is the client of a device: it connects a program to its thing in
// Ardesia, or in any cloud that Arduino boards can talk to.
//
// A device has an id and proves it with a certificate, whose key may live in a secure
// element, or with a secret key. Its program declares typed variables, sets them, is told when the cloud
// writes them, and calls Run, which connects, finds the thing that the device is attached to, takes over
// the last values, sends what changes, and starts again whenever the connection is lost:
//
//	temperature := device.Float("temperature", device.ReadOnly, device.MinDelta(0.1))
//	led := device.Bool("led").OnWrite(func(on bool) { fmt.Println("led:", on) })
//	c, err := device.New(device.Config{
//		Host: "ardesia.example.org", DeviceID: id, SecretKey: key, Roots: roots, Now: time.Now,
//		Properties: []device.Property{temperature, led},
//	})
//	...
//	go func() { for t := range sensor { temperature.Set(t) } }()
//	err = c.Run(ctx)
//
// The client behaves as the second generation of Arduino's own library does, with its
// numbers for patience and retries, or as the first one if told so. What differs is
// said where it differs; the most important: a variable that was never set has no value here, and is not sent.
//
// With QoS 1, or a Queue, values that change while there is no connection are kept, with
// their times, and sent later.
package device
