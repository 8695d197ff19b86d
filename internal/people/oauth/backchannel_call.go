package oauth

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/ardesia-iot/ardesia/internal/base/outbound"
)

// Bounds of one call to a program.
const (
	callTime  = 10 * time.Second
	maxAnswer = 4 << 10 // bytes that are read of an answer; nobody looks at them
)

// A statusError is an answer that is no yes.
type statusError int

func (e statusError) Error() string {
	return fmt.Sprintf("the program answered with status %d", int(e))
}

// Is has errRefused be a status that will be the same next time.
func (e statusError) Is(target error) bool {
	return target == errRefused && e >= 400 && e < 500 && e != http.StatusRequestTimeout && e != http.StatusTooManyRequests && e != http.StatusNotFound
}

var errRefused = errors.New("the program refused")

// callBackchannel is section 2.5. It connects to public addresses only, as they are after the name was
// resolved, and to those that the operator allows besides: a registered address must not have us ask our
// neighbours. Nobody is followed elsewhere.
func (s *Service) callBackchannel(ctx context.Context, to, token string) error {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(url.Values{"logout_token": {token}}.Encode()))
	if err != nil {
		return err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("User-Agent", "Ardesia")
	answer, err := s.outside(r.URL).Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	_, _ = io.CopyN(io.Discard, answer.Body, maxAnswer) // what it says does not matter
	if answer.StatusCode != http.StatusOK && answer.StatusCode != http.StatusNoContent {
		return statusError(answer.StatusCode)
	}
	return nil
}

// outside is who calls an address of somebody else.
func (s *Service) outside(u *url.URL) *http.Client {
	port := uint64(443)
	if p, err := strconv.ParseUint(u.Port(), 10, 16); err == nil {
		port = p
	}
	return outbound.Client(outbound.Rule{Ports: []uint16{uint16(port)}, Allow: s.needs.Private, Roots: s.needs.Roots, Timeout: callTime})
}
