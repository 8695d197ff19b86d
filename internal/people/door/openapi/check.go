package openapi

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// An Answer is what a route answered.
type Answer struct {
	Status int
	Header http.Header
	Body   []byte
}

// Check says what of an answer the document does not promise, for the route with pattern. method is that of the
// request: an answer to HEAD has no body. A route that nobody has written words about is held against its Out alone.
func (d *Document) Check(pattern, method string, a Answer) error {
	at, path, _ := strings.Cut(pattern, " ")
	op := d.Paths[wildcard.ReplaceAllString(path, "{$1}")][strings.ToLower(at)]
	if op == nil {
		return nil // a page
	}
	said, ok := op.Responses[strconv.Itoa(a.Status)]
	switch {
	case !ok && !op.told:
		return nil
	case !ok:
		return fmt.Errorf("the status %d is not declared%s", a.Status, codeOf(a))
	case a.Status < http.StatusBadRequest:
		return d.checkBody(op, said, method, a)
	case op.plain, !op.told, len(a.Body) == 0 && (op.silent == strconv.Itoa(a.Status) || method == http.MethodHead):
		return nil
	}
	if err := d.checkBody(op, said, method, a); err != nil {
		return err
	}
	var e struct{ Status int }
	if err := json.Unmarshal(a.Body, &e); err != nil || e.Status != a.Status {
		return fmt.Errorf("the problem has the status %d, and the answer %d", e.Status, a.Status)
	}
	return nil
}

// codeOf tells the code of a problem, for those who have to declare it.
func codeOf(a Answer) string {
	var e struct{ Code string }
	if json.Unmarshal(a.Body, &e) != nil || e.Code == "" {
		return ""
	}
	return ": " + e.Code
}

func (d *Document) checkBody(op *Operation, said *Response, method string, a Answer) error {
	kind := a.Header.Get("Content-Type")
	if len(said.Content) == 0 {
		if len(a.Body) > 0 && op.told {
			return fmt.Errorf("%d comes without body, and this has one of type %q", a.Status, kind)
		}
		return nil
	}
	media, ok := said.Content[kind]
	if !ok {
		if !op.told {
			return nil
		}
		return fmt.Errorf("the Content-Type %q is not declared", kind)
	}
	if media.Schema == nil || method == http.MethodHead {
		return nil
	}
	if err := media.Schema.Check(a.Body, d.Components.Schemas); err != nil {
		return fmt.Errorf("in the body %w", err)
	}
	return nil
}
