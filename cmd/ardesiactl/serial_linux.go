package main

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// openSerial opens a serial port as boards' provisioning sketches use it: 9600 baud, 8 bits, no parity, every byte as it is. No
// other program can open it until it is closed.
func openSerial(path string) (io.ReadWriteCloser, error) {
	// Without waiting for a carrier; then Close ends a Read that is under way, too.
	f, err := os.OpenFile(path, os.O_RDWR|unix.O_NOCTTY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	raw, err := f.SyscallConn()
	if err == nil {
		control := raw.Control(func(fd uintptr) { err = setSerial(int(fd)) })
		err = errors.Join(control, err)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func setSerial(fd int) error {
	t, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return errors.New("it is not a serial port")
	}
	t.Iflag &^= unix.IGNBRK | unix.BRKINT | unix.PARMRK | unix.ISTRIP | unix.INLCR | unix.IGNCR | unix.ICRNL | unix.IXON | unix.IXOFF
	t.Oflag &^= unix.OPOST
	t.Lflag &^= unix.ECHO | unix.ECHONL | unix.ICANON | unix.ISIG | unix.IEXTEN
	t.Cflag &^= unix.CSIZE | unix.PARENB | unix.CSTOPB | unix.CBAUD
	t.Cflag |= unix.CS8 | unix.CREAD | unix.CLOCAL | unix.B9600
	t.Ispeed, t.Ospeed = unix.B9600, unix.B9600
	t.Cc[unix.VMIN], t.Cc[unix.VTIME] = 1, 0
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, t); err != nil {
		return err
	}
	return unix.IoctlSetInt(fd, unix.TIOCEXCL, 0)
}

// usbOf is what USB says of the board at a serial port.
func usbOf(path string) usb {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real // such as /dev/serial/by-id/…
	}
	device, err := filepath.EvalSymlinks(filepath.Join("/sys/class/tty", filepath.Base(path), "device"))
	if err != nil {
		return usb{}
	}
	// The port is an interface of the USB device, or below one.
	for range 3 {
		if text := sysfs(device, "idVendor"); text != "" {
			return usb{VID: text, PID: sysfs(device, "idProduct"), Serial: sysfs(device, "serial")}
		}
		device = filepath.Dir(device)
	}
	return usb{}
}

func sysfs(dir, name string) string {
	text, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}
