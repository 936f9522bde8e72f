package main

import (
	"context"
	"fmt"
	"net/http"
)

// A request is one that runs, with the work done for it; work that is alive when it ends is a zombie from then on.
type request struct {
	census *census
	id     string // what the witness hears; empty when the client named none

	ended bool // guarded by census.mu
	alive int  // guarded by census.mu
}

func (c *census) request(id string) *request {
	c.add("requests.live", 1)
	c.add("requests.started", 1)
	return &request{census: c, id: id}
}

// end notes how the request was answered and why it ended.
func (r *request) end(status int, how string) {
	c := r.census
	c.mu.Lock()
	defer c.mu.Unlock()
	r.ended = true
	c.counts["work.zombie"] += r.alive
	c.counts["requests.live"]--
	c.counts["requests.ended."+how]++
	// What is written to a client that left is no answer.
	if status != 0 && how != "disconnect" {
		c.counts[fmt.Sprintf("requests.answered.%d", status)]++
	}
}

// work runs f as work of this request: counted while it lives, and heard by the witness.
func (r *request) work(f func(beat func()) error) (err error) {
	r.say("start")
	r.change("started", 1)
	how := "panicked"
	defer func() {
		r.say("end " + how)
		r.change(how, -1)
	}()
	beats := 0
	err = f(func() { beats++; r.say(fmt.Sprintf("beat %d", beats)) })
	if how = "completed"; err != nil {
		how = "canceled"
	}
	return err
}

func (r *request) change(event string, n int) {
	c := r.census
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts["work."+event]++
	c.counts["work.live"] += n
	r.alive += n
	if r.ended {
		c.counts["work.zombie"] += n
	}
}

func (r *request) say(event string) {
	if r.id != "" && r.census.witness != nil {
		fmt.Fprintf(r.census.witness, "%s %s", r.id, event)
	}
}

// ending says how a request ended. Its context must be asked before the handler returns, which cancels it.
func ending(ctx context.Context, status int, panicked any) string {
	cause := context.Cause(ctx)
	switch {
	case panicked != nil && panicked != http.ErrAbortHandler:
		return "panic"
	case status == http.StatusGatewayTimeout:
		return "deadline"
	case cause == errShutdown:
		return "shutdown"
	case cause != nil && (panicked != nil || status != http.StatusOK):
		return "disconnect"
	case panicked != nil || status == http.StatusServiceUnavailable:
		return "deadline"
	}
	return "completed"
}
