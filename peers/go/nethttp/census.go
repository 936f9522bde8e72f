package main

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"runtime"
	"strings"
	"sync"
	"time"
)

// counters are the numbers of the census, as paths into its JSON document.
var counters = []string{
	"connections.live", "connections.accepted", "connections.refused", "requests.live", "requests.started",
	"requests.ended.completed", "requests.ended.deadline", "requests.ended.disconnect", "requests.ended.shutdown",
	"requests.ended.panic", "work.live", "work.zombie", "work.started", "work.completed", "work.canceled",
	"work.panicked", "contexts.live", "outside.processes", "outside.calls", "outside.queries",
}

// census counts what the server does, and tells the witness what its work does.
type census struct {
	server  string
	started time.Time
	witness net.Conn // nil when nobody listens

	mu     sync.Mutex
	counts map[string]int // guarded by mu
}

func newCensus(server, witness string) (*census, error) {
	c := &census{server: server, started: time.Now(), counts: make(map[string]int)}
	for _, name := range counters {
		c.counts[name] = 0
	}
	var err error
	if witness != "" {
		c.witness, err = net.Dial("udp", witness)
	}
	return c, err
}

func (c *census) add(name string, n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.counts[name] += n
}

func (c *census) get(name string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.counts[name]
}

// connState counts connections; it is an http.Server's ConnState hook.
func (c *census) connState(_ net.Conn, state http.ConnState) {
	switch state {
	case http.StateNew:
		c.add("connections.live", 1)
		c.add("connections.accepted", 1)
	case http.StateClosed, http.StateHijacked:
		c.add("connections.live", -1)
	}
}

// admin serves the census, and what Go itself knows: /debug/pprof/goroutineleak?debug=1 is its verdict on leaks.
func (c *census) admin() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /census", c.serve)
	mux.HandleFunc("GET /metrics", c.metrics)
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	return mux
}

func (c *census) serve(w http.ResponseWriter, _ *http.Request) {
	document := map[string]any{
		"server":    c.server,
		"uptime_ms": time.Since(c.started).Milliseconds(),
		"runtime":   map[string]any{"tasks": runtime.NumGoroutine()},
		"requests":  map[string]any{"answered": map[string]any{}},
	}
	c.mu.Lock()
	for path, n := range c.counts {
		names := strings.Split(path, ".")
		place := document
		for _, name := range names[:len(names)-1] {
			if place[name] == nil {
				place[name] = map[string]any{}
			}
			place = place[name].(map[string]any)
		}
		place[names[len(names)-1]] = n
	}
	c.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	json.NewEncoder(w).Encode(document)
}

// metrics serves the same numbers in Prometheus' text format.
func (c *census) metrics(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; version=0.0.4")
	c.mu.Lock()
	defer c.mu.Unlock()
	for path, n := range c.counts {
		fmt.Fprintf(w, "lab_%s %d\n", strings.ReplaceAll(path, ".", "_"), n)
	}
	fmt.Fprintf(w, "http_server_active_requests %d\n", c.counts["requests.live"])
}
