package device

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/command"
	"github.com/ardesia-iot/ardesia/internal/base/otafile"
)

// Firmware is the program of a device, which the cloud can replace. Its methods are called on a
// goroutine of their own, one at a time, while Run runs.
type Firmware interface {
	// SHA256 is the hash of the image that runs.
	SHA256() [32]byte
	// Magic says which files are for this device; see the table of .ota files.
	Magic() uint32
	// Store opens the place for a new image and empties it. What is written there is the image itself,
	// in order; Close says that it is whole.
	Store() (io.WriteCloser, error)
	// Apply makes what was stored the image that runs after the next start.
	Apply() error
}

// ErrReboot is the end of Run when another image is to run: start the program again.
var ErrReboot = errors.New("device: another image is in place; start again")

// An UpdateStep is how far an update is.
type UpdateStep uint8

// The steps, in the order in which they come.
const (
	UpdateAvailable UpdateStep = iota // the cloud has offered it
	UpdateStart                       // it is about to be fetched
	UpdateFetch                       // it is being fetched
	UpdateFlash                       // it is whole and about to be applied
	UpdateReboot                      // it is applied
)

var updateStates = [...]command.OtaState{command.OtaAvailable, command.OtaStart, command.OtaFetch, command.OtaFlash, command.OtaReboot}

func (s UpdateStep) String() string {
	if int(s) < len(updateStates) {
		return updateStates[s].String()
	}
	return "unknown"
}

// An UpdateError is an update that failed.
type UpdateError struct {
	Code int32 // as the cloud is told; -1 to -25, as in Arduino's library
	Err  error // why
}

func (e *UpdateError) Error() string {
	return fmt.Sprintf("device: update failed with code %d: %v", e.Code, e.Err)
}
func (e *UpdateError) Unwrap() error { return e.Err }

// The codes that this client tells by itself (ArduinoIoTCloud, src/ota/interface/OTAInterface.h).
const (
	codeHeaderLength = -5
	codeHeaderCRC    = -6 // also an image with another hash than was announced
	codeHeaderMagic  = -7
	codeURL          = -9
	codeConnect      = -10
	codeHTTPHeader   = -11
	codeDownload     = -12
	codeHTTPResponse = -14
	codeApply        = -15
	codeLibrary      = -17
	codeOpen         = -19
	codeWrite        = -20
)

// failed gives err a code unless it has one.
func failed(code int32, err error) error {
	var coded *UpdateError
	if errors.As(err, &coded) {
		return err
	}
	return &UpdateError{code, err}
}

// updates is the half of a Client that replaces its program. It lives longer than a connection.
type updates struct {
	begun   bool            // OtaBegin was told; of the goroutine of Run
	life    context.Context // of Run
	error1  atomic.Int64    // what generation 1 says of its last update: 0, or 1 when it failed
	reports chan command.OtaProgress
	busy    atomic.Bool
	reboot  atomic.Bool
	due     chan struct{} // closed when reboot is true
	work    sync.WaitGroup
}

func newUpdates() updates {
	return updates{reports: make(chan command.OtaProgress, 64), due: make(chan struct{})}
}

// beginUpdates tells the cloud once after the start which image runs.
func (s *session) beginUpdates() error {
	if s.config.Firmware == nil || s.updates.begun {
		return nil
	}
	if err := s.send(command.OtaBegin{SHA256: s.config.Firmware.SHA256()}); err != nil {
		return err
	}
	s.updates.begun = true
	return nil
}

// offered takes an update, unless one is under way. The rest goes on while the connection is served, and
// when it is lost.
func (c *Client) offered(ctx context.Context, u command.OtaUpdate) {
	if c.config.Firmware == nil || !c.updates.busy.CompareAndSwap(false, true) {
		return
	}
	c.updates.work.Go(func() {
		err := c.replace(ctx, u)
		if ctx.Err() != nil {
			return // there is nobody to tell
		}
		if err != nil {
			c.config.Log.Warn("update failed", "device", c.config.DeviceID, "err", err)
			var coded *UpdateError
			errors.As(failed(codeLibrary, err), &coded)
			c.report(ctx, u, command.OtaFail, coded.Code)
			c.updates.busy.Store(false)
			return
		}
		c.updates.reboot.Store(true)
		close(c.updates.due)
	})
}

// tellUpdate sends one report. Generation 1 has other words.
func (s *session) tellUpdate(p command.OtaProgress) error {
	if s.config.Generation == 1 {
		return s.tellUpdateFirst(p)
	}
	return s.send(p)
}

// leave ends the connection once all is told, since another image is to run.
func (s *session) leave() error {
	for {
		select {
		case p := <-s.updates.reports:
			if err := s.tellUpdate(p); err != nil {
				return err
			}
		default:
			return ErrReboot
		}
	}
}

// step asks the program whether to go on, and tells the cloud.
func (c *Client) step(ctx context.Context, u command.OtaUpdate, s UpdateStep) error {
	if c.config.OnUpdate != nil {
		if err := c.config.OnUpdate(ctx, s); err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	c.report(ctx, u, updateStates[s], 0)
	return nil
}

// report hands a report to whoever serves the connection.
func (c *Client) report(ctx context.Context, u command.OtaUpdate, state command.OtaState, data int32) {
	select {
	case c.updates.reports <- command.OtaProgress{ID: u.ID, State: state, Data: data, Time: uint64(c.config.Now().UnixMicro())}:
	case <-ctx.Done():
	}
}

// replace takes all steps of an update.
func (c *Client) replace(ctx context.Context, u command.OtaUpdate) error {
	for _, s := range []UpdateStep{UpdateAvailable, UpdateStart} {
		if err := c.step(ctx, u, s); err != nil {
			return err
		}
	}
	if err := c.fetch(ctx, u); err != nil {
		return err
	}
	if err := c.step(ctx, u, UpdateFlash); err != nil {
		return err
	}
	if err := c.config.Firmware.Apply(); err != nil {
		return failed(codeApply, err)
	}
	return c.step(ctx, u, UpdateReboot)
}

// fetch gets the file, checks it, and stores the image in it, all in one pass.
func (c *Client) fetch(ctx context.Context, u command.OtaUpdate) error {
	f := &fetching{ctx: ctx, url: u.URL, client: c.http(), secret: c.config.SecretKey, id: c.config.DeviceID, now: c.config.Now, every: c.config.Timing.Progress, patience: c.config.Timing.Stall}
	defer f.close()
	if err := f.open(); err != nil {
		return err
	}
	if err := c.step(ctx, u, UpdateFetch); err != nil {
		return err
	}
	f.told = c.config.Now()
	f.tell = func(n int64) { c.report(ctx, u, command.OtaFetch, int32(n)) }
	place, err := c.config.Firmware.Store()
	if err != nil {
		return failed(codeOpen, err)
	}
	w := &storing{to: place}
	info, err := otafile.Check(f, w)
	f.tell(f.got)
	if closed := place.Close(); err == nil && closed != nil {
		return failed(codeWrite, closed)
	}
	switch {
	case w.err != nil:
		return failed(codeWrite, w.err)
	case errors.Is(err, otafile.ErrLength), errors.Is(err, otafile.ErrFile), errors.Is(err, otafile.ErrEmpty), errors.Is(err, otafile.ErrTooLarge):
		return failed(codeHeaderLength, err)
	case errors.Is(err, otafile.ErrCRC), errors.Is(err, otafile.ErrVersion):
		return failed(codeHeaderCRC, err)
	case err != nil:
		return failed(codeDownload, err)
	case uint32(info.Magic) != c.config.Firmware.Magic():
		return failed(codeHeaderMagic, fmt.Errorf("the file is for %v", info.Magic))
	case info.ImageSHA != u.FinalSHA && u.FinalSHA != [32]byte{}:
		return failed(codeHeaderCRC, errors.New("the image is another than was announced"))
	}
	return nil
}

// storing remembers that writing failed, and not reading.
type storing struct {
	to  io.Writer
	err error
}

func (s *storing) Write(p []byte) (int, error) {
	n, err := s.to.Write(p)
	s.err = err
	return n, err
}

// http is the client for downloads. It follows nobody elsewhere, as boards do not: the credentials are for the cloud alone.
func (c *Client) http() *http.Client {
	all := http.Client{Transport: &http.Transport{
		TLSClientConfig: c.config.tls(), DisableKeepAlives: true, DialContext: (&net.Dialer{Timeout: c.config.Timing.Dial}).DialContext,
		TLSHandshakeTimeout: fetchAnswer, ResponseHeaderTimeout: fetchAnswer,
	}}
	if c.config.HTTP != nil {
		all = *c.config.HTTP
	}
	all.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &all
}

// fetchAnswer is how long a server has for each of its first words: TLS, and the header of its answer.
const fetchAnswer = 30 * time.Second

// errStalled is a server that sends nothing any more.
var errStalled = errors.New("the server sends nothing any more")

// resumesOf is how often a download goes on that broke off, without a byte in between.
const resumesOf = 5

// A fetching is a download that goes on where it broke off. It is an io.Reader of the whole file.
type fetching struct {
	ctx        context.Context
	url        string
	client     *http.Client
	id, secret string
	now        func() time.Time
	every      time.Duration
	patience   time.Duration // without a byte

	asked context.Context // of the request; errStalled is why it ended when the server was silent
	end   context.CancelCauseFunc
	watch *time.Timer   // runs while a byte is waited for, and then ends asked
	body  io.ReadCloser // nil between two connections
	size  int64         // of the file
	got   int64
	tries int // since the last byte
	told  time.Time
	tell  func(int64)
}

func (f *fetching) close() {
	if f.body != nil {
		_ = f.body.Close()
		f.body = nil
	}
	if f.end != nil {
		f.watch.Stop()
		f.end(nil)
	}
}

// why is the reason of err: a request that was ended says only that it was.
func (f *fetching) why(err error) error {
	if errors.Is(context.Cause(f.asked), errStalled) {
		return errStalled
	}
	return err
}

// open asks for the file, or for the rest of it.
func (f *fetching) open() error {
	f.close()
	asked, end := context.WithCancelCause(f.ctx)
	f.asked, f.end, f.watch = asked, end, time.AfterFunc(f.patience, func() { end(errStalled) })
	defer f.watch.Stop()
	r, err := http.NewRequestWithContext(asked, http.MethodGet, f.url, nil)
	switch {
	case err != nil:
		return failed(codeURL, err)
	case r.URL.Scheme != "https" || r.URL.Host == "":
		// Without TLS everybody on the way reads the secret, and may send another program.
		return failed(codeURL, fmt.Errorf("%q is not an address that begins with https://", f.url))
	}
	if f.secret != "" {
		r.SetBasicAuth(f.id, f.secret) // as ESP32 boards do
	}
	want := http.StatusOK
	if f.got > 0 {
		r.Header.Set("Range", fmt.Sprintf("bytes=%d-", f.got))
		want = http.StatusPartialContent
	}
	answer, err := f.client.Do(r)
	if err != nil {
		return failed(codeConnect, f.why(err))
	}
	switch {
	case answer.StatusCode != want:
		err = failed(codeHTTPResponse, fmt.Errorf("the server answers %s", answer.Status))
	case answer.ContentLength < 0:
		err = failed(codeHTTPHeader, errors.New("the server does not say how long the file is"))
	case f.got > 0 && f.got+answer.ContentLength != f.size:
		err = failed(codeHTTPHeader, errors.New("the rest of the file has another length"))
	}
	if err != nil {
		_ = answer.Body.Close()
		return err
	}
	f.size = f.got + answer.ContentLength
	f.body = answer.Body
	return nil
}

// Read implements io.Reader.
func (f *fetching) Read(p []byte) (int, error) {
	for {
		if f.size > 0 && f.got == f.size {
			return 0, io.EOF
		}
		if f.body == nil {
			if err := f.resume(); err != nil {
				return 0, err
			}
		}
		f.watch.Reset(f.patience)
		n, err := f.body.Read(p)
		f.watch.Stop()
		f.got += int64(n)
		if n > 0 {
			f.tries = 0
			if now := f.now(); f.tell != nil && now.Sub(f.told) >= f.every {
				f.told = now
				f.tell(f.got)
			}
		}
		if err != nil {
			f.close()
		}
		if n > 0 {
			return n, nil
		}
		if err != nil && f.got != f.size {
			if f.tries++; f.tries > resumesOf {
				return 0, failed(codeDownload, f.why(err))
			}
		}
		if f.size == 0 {
			return 0, io.EOF
		}
	}
}

// resume waits a little, longer each time, and goes on.
func (f *fetching) resume() error {
	for {
		err := f.open()
		if err == nil {
			return nil
		}
		var coded *UpdateError
		if errors.As(err, &coded) && coded.Code != codeConnect || f.tries >= resumesOf {
			return err
		}
		f.tries++
		t := time.NewTimer(time.Duration(f.tries) * 200 * time.Millisecond)
		select {
		case <-f.ctx.Done():
			t.Stop()
			return f.ctx.Err()
		case <-t.C:
		}
	}
}
