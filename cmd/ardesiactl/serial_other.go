//go:build !linux

package main

import (
	"errors"
	"io"
)

// openSerial says that there are serial ports for this program on Linux only.
func openSerial(string) (io.ReadWriteCloser, error) {
	return nil, errors.New("this program reaches boards on a cable on Linux only")
}

func usbOf(string) usb { return usb{} }
