// Package witness reads what the lab asks of /slow, and tells it what becomes of the work. Copy this file beside your server.
//
//	work, err := witness.Ask(r)      // reads the body; an error is a 400
//	defer work.End()                 // says `end completed` or `end canceled`
//	for work.More() {                // says `start`, and `beat N` after each unit
//		<-work.Unit()
//	}
package witness

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"strconv"
	"time"
)

// Work is the work of one request.
type Work struct {
	Timeout time.Duration // how long the client still waits; without its word two seconds
	id      string
	tick    time.Duration
	units   int
	begun   int // units that have begun; one more than have ended, until all have
	beganAt time.Time
}

var lab, _ = net.Dial("udp", os.Getenv("LAB_WITNESS"))
var budget = regexp.MustCompile(`^(\d{1,8})([HMSmun])$`)
var lengths = map[string]time.Duration{
	"H": time.Hour, "M": time.Minute, "S": time.Second, "m": time.Millisecond, "u": time.Microsecond, "n": time.Nanosecond,
}

// Ask reads the parameters, the headers and the body of a request (or no body, if that is what the client asks for); its error
// names what cannot be understood.
func Ask(r *http.Request) (*Work, error) {
	query := r.URL.Query()
	work := &Work{Timeout: 2 * time.Second, id: r.Header.Get("X-Request-Id")}
	length, err := duration(query, "work", 5*time.Second)
	if err != nil {
		return nil, err
	}
	if work.tick, err = duration(query, "tick", 10*time.Millisecond); err != nil {
		return nil, err
	}
	work.units = int(length / work.tick)
	if found := budget.FindStringSubmatch(r.Header.Get("Grpc-Timeout")); found != nil {
		number, _ := strconv.Atoi(found[1])
		work.Timeout = time.Duration(number) * lengths[found[2]]
	}
	body := query.Get("body")
	if body != "" && body != "read" && body != "ignore" && body != "drop" {
		return nil, fmt.Errorf("parameter `body` takes read, ignore, drop")
	}
	if style := query.Get("style"); style != "" && style != "context" {
		return nil, fmt.Errorf("parameter `style` takes context")
	}
	if body == "" || body == "read" {
		io.Copy(io.Discard, r.Body)
	}
	return work, nil
}

func duration(query url.Values, name string, preset time.Duration) (time.Duration, error) {
	if !query.Has(name) {
		return preset, nil
	}
	found, err := time.ParseDuration(query.Get(name))
	if err != nil || found <= 0 {
		return 0, fmt.Errorf("parameter `%s` takes a duration such as 250ms or 2s", name)
	}
	return found, nil
}

// More says that a unit has ended, and tells whether there is another.
func (w *Work) More() bool {
	if w.begun == 0 {
		w.say("start")
		w.beganAt = time.Now()
	} else {
		w.say(fmt.Sprintf("beat %d", w.begun))
	}
	w.begun++
	return w.begun <= w.units
}

// Unit returns a channel that is ready at the end of the unit.
func (w *Work) Unit() <-chan time.Time {
	return time.After(time.Until(w.beganAt.Add(time.Duration(w.begun) * w.tick)))
}

// End says how the work ended.
func (w *Work) End() {
	if w.begun > w.units {
		w.say("end completed")
	} else if w.begun > 0 {
		w.say("end canceled")
	}
}

func (w *Work) say(word string) {
	if lab != nil && w.id != "" {
		fmt.Fprintf(lab, "%s %s", w.id, word)
	}
}
