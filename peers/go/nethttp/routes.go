package main

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// routes returns the endpoints.
func routes(s settings) http.Handler {
	mux := http.NewServeMux()
	route := func(path, allow string, handler http.HandlerFunc, methods ...string) {
		for _, method := range methods {
			mux.HandleFunc(method+" "+path, handler)
		}
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", allow)
			refuse(w, r, http.StatusMethodNotAllowed, "bad-request", errors.New("method not allowed: it takes "+allow))
		})
	}
	route("/fast", "GET, HEAD", serveFast, "GET")
	route("/slow", "GET, HEAD, POST", s.serveSlow, "GET", "POST")
	route("/values", "GET, HEAD", serveValues, "GET")
	route("/upload", "POST", serveUpload, "POST")
	route("/stream", "GET, HEAD", serveStream, "GET")
	route("/fanout", "GET, HEAD", serveFanout, "GET")
	route("/panic", "GET, HEAD", servePanic, "GET")
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		refuse(w, r, http.StatusNotFound, "not-found", errors.New("no such path"))
	})
	return mux
}

func serveFast(w http.ResponseWriter, r *http.Request) {
	if wrong(w, r, newQuery(r)) {
		return
	}
	reply(w, r, map[string]any{"endpoint": "fast", "request_id": of(r.Context()).id}, nil)
}

func (s settings) serveSlow(w http.ResponseWriter, r *http.Request) {
	q := newQuery(r)
	p := slow{
		work: q.duration("work", 5*time.Second, 0),
		style: q.oneOf("style", "context", "drop", "detached", "blocking", "polling", "spin", "process", "upstream",
			"query", "query-dropped"),
		tick: q.duration("tick", 10*time.Millisecond, time.Millisecond),
		body: q.oneOf("body", "read", "ignore", "drop"),
		hops: q.number("hops", 1, 1, 8),
	}
	if p.style == "upstream" && s.upstream == "" {
		q.wrong("style", "takes `upstream` of a server that was started with --upstream")
	}
	if strings.HasPrefix(p.style, "query") && s.database == "" {
		q.wrong("style", "takes `"+p.style+"` of a server that was started with --database")
	}
	if wrong(w, r, q) {
		return
	}
	ctx, began, err := r.Context(), time.Now(), r.Context().Err()
	switch {
	case err != nil:
	case p.body == "read":
		_, err = read(w, r)
	case p.body == "drop":
		r.Body.Close()
	}
	if err == nil {
		err = p.run(ctx, s, of(ctx).counted)
	}
	worked := time.Since(began).Milliseconds()
	reply(w, r, map[string]any{"endpoint": "slow", "request_id": of(ctx).id, "worked_ms": worked}, err)
}

func serveValues(w http.ResponseWriter, r *http.Request) {
	if wrong(w, r, newQuery(r)) {
		return
	}
	found := make(chan *identity)
	go func() { found <- of(r.Context()) }()
	who := <-found
	var subject any
	if who.subject != "" {
		subject = who.subject
	}
	reply(w, r, map[string]any{"request_id": who.id, "subject": subject}, nil)
}

func serveUpload(w http.ResponseWriter, r *http.Request) {
	if wrong(w, r, newQuery(r)) {
		return
	}
	n, err := read(w, r)
	reply(w, r, map[string]any{"bytes": n}, err)
}

func serveStream(w http.ResponseWriter, r *http.Request) {
	q := newQuery(r)
	chunks, every := q.number("chunks", 10, 0, 10000), q.duration("every", 100*time.Millisecond, time.Millisecond)
	if wrong(w, r, q) {
		return
	}
	w.WriteHeader(http.StatusOK)
	body, n := http.NewResponseController(w), 0
	err := of(r.Context()).counted.work(func(beat func()) error {
		return slow{work: time.Duration(chunks) * every, tick: every}.cooperate(r.Context(), func() {
			fmt.Fprintf(w, "{\"chunk\":%d}\n", n)
			body.Flush()
			n++
			beat()
		})
	})
	if err != nil {
		// The way to end a response that is not whole: no last chunk, and the connection is closed.
		panic(http.ErrAbortHandler)
	}
}

func serveFanout(w http.ResponseWriter, r *http.Request) {
	q := newQuery(r)
	width := q.number("width", 4, 1, 1000)
	p := slow{work: q.duration("work", 100*time.Millisecond, 0), tick: q.duration("tick", 10*time.Millisecond, time.Millisecond)}
	fail := q.number("fail", -1, 0, width-1)
	if wrong(w, r, q) {
		return
	}
	err := r.Context().Err()
	if err == nil {
		err = fanout(r.Context(), of(r.Context()).counted, width, fail, p)
	}
	reply(w, r, map[string]any{"endpoint": "fanout", "request_id": of(r.Context()).id, "children": width}, err)
}

func servePanic(w http.ResponseWriter, r *http.Request) {
	if wrong(w, r, newQuery(r)) {
		return
	}
	of(r.Context()).counted.work(func(func()) error { panic("asked to panic by request " + of(r.Context()).id) })
}

// wrong answers a request whose parameters are wrong.
func wrong(w http.ResponseWriter, r *http.Request, q *query) bool {
	err := q.end()
	if err != nil {
		refuse(w, r, http.StatusBadRequest, "bad-request", err)
	}
	return err != nil
}
