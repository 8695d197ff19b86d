package live

import (
	"bytes"
	"encoding/json"
	"strconv"
	"time"

	"github.com/ardesia-iot/ardesia/internal/fleet/device"
	"github.com/ardesia-iot/ardesia/internal/fleet/series"
	"github.com/ardesia-iot/ardesia/internal/fleet/thing"
)

// How events are written: the HTML standard, section 9.2 (server-sent events). Each is a name, an id and one line of JSON.

// stamp is RFC 3339 with as many digits as a value's time has.
const stamp = "2006-01-02T15:04:05.000000Z07:00"

func appendStamp(b []byte, at time.Time) []byte {
	b = append(b, '"')
	b = at.UTC().AppendFormat(b, stamp)
	return append(b, '"')
}

// appendValue writes a value of a thing's property as it stands in the list of an event. IDs need no escapes.
func appendValue(b []byte, p series.Point) []byte {
	b = append(b, `{"thing":"`...)
	b = append(b, p.Thing...)
	b = append(b, `","property":"`...)
	b = append(b, p.Series...)
	b = append(b, `","value":`...)
	b = appendLine(b, thing.JSON(p.Value))
	b = append(b, `,"at":`...)
	return append(appendStamp(b, p.At), '}')
}

// appendLine writes JSON without the line ends that an object of a device's may have, which would end the event.
func appendLine(b []byte, text json.RawMessage) []byte {
	if bytes.ContainsAny(text, "\r\n") {
		var short bytes.Buffer
		if json.Compact(&short, text) == nil {
			text = short.Bytes()
		}
	}
	return append(b, text...)
}

func appendPresence(b []byte, p device.Presence) []byte {
	b = append(b, `{"device":"`...)
	b = append(b, p.Device...)
	b = append(b, `","status":"`...)
	b = append(b, p.Status...)
	b = append(b, `","at":`...)
	return append(appendStamp(b, p.At), '}')
}

func appendHead(b []byte, event string, m Mark) []byte {
	b = append(b, "event: "...)
	b = append(b, event...)
	b = append(b, "\nid: "...)
	b = append(b, m.Run...)
	b = append(b, '-')
	b = strconv.AppendInt(b, m.At, markBase)
	return append(b, "\ndata: "...)
}

func appendHello(b []byte, m Mark, at time.Time, resumed bool) []byte {
	b = appendHead(b, "hello", m)
	b = append(b, `{"at":`...)
	b = appendStamp(b, at)
	b = append(b, `,"resumed":`...)
	b = strconv.AppendBool(b, resumed)
	return append(b, "}\n\n"...)
}

// appendReload tells a client to fetch again; of is the ID of the thing that it is about, or "".
func appendReload(b []byte, m Mark, why Reason, of string) []byte {
	b = appendHead(b, "reload", m)
	b = append(b, `{"reason":"`...)
	b = append(b, why...)
	if of != "" {
		b = append(b, `","thing":"`...)
		b = append(b, of...)
	}
	return append(b, "\"}\n\n"...)
}

// appendList writes an event of several values, or of several devices.
func appendList(b []byte, event string, m Mark, frames [][]byte) []byte {
	b = appendHead(b, event, m)
	for i, f := range frames {
		if i == 0 {
			b = append(b, '[')
		} else {
			b = append(b, ',')
		}
		b = append(b, f...)
	}
	return append(b, "]\n\n"...)
}

// appendBeat shows that the connection is there, and carries the place on when nothing else does: what has an id and no
// data is no event, but counts as the last id.
func appendBeat(b []byte, m Mark) []byte {
	b = append(b, ": still here\nid: "...)
	b = append(b, m.Run...)
	b = append(b, '-')
	b = strconv.AppendInt(b, m.At, markBase)
	return append(b, "\n\n"...)
}
