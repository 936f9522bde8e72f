package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
)

type identityKey struct{}

// identity is who asks, carried by the request's context.
type identity struct {
	id, subject, traceparent, tracestate string
	given                                bool // whether the client named the id
	counted                              *request
}

func of(ctx context.Context) *identity { return ctx.Value(identityKey{}).(*identity) }

// recorder remembers the status of an answer.
type recorder struct {
	http.ResponseWriter
	status int
}

func (w *recorder) WriteHeader(status int)      { w.status = status; w.ResponseWriter.WriteHeader(status) }
func (w *recorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// newHandler returns the endpoints, counted, identified and under their deadline.
func newHandler(s settings, c *census) http.Handler {
	return identified(c, limited(s, c, routes(s)))
}

// identified gives every request its identity, and counts it until it ends.
func identified(c *census, next http.Handler) http.Handler {
	var made atomic.Int64
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := &identity{id: r.Header.Get("X-Request-Id"), subject: r.Header.Get("X-Subject")}
		heard := who.id
		if !printable.MatchString(who.id) {
			who.id, heard = fmt.Sprintf("go-%d", made.Add(1)), ""
		}
		who.given = heard != ""
		if given := r.Header.Values("traceparent"); len(given) == 1 && traceparents.MatchString(given[0]) {
			who.traceparent = given[0]
			who.tracestate = tracestate(r.Header.Values("tracestate"))
		}
		who.counted = c.request(heard)
		recorded := &recorder{w, 0}
		defer func() {
			panicked := recover()
			who.counted.end(recorded.status, ending(r.Context(), recorded.status, panicked))
			if panicked != nil {
				panic(panicked)
			}
		}()
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("X-Request-Id", who.id)
		r = r.WithContext(context.WithValue(r.Context(), identityKey{}, who))
		if given := r.Header.Values("X-Subject"); len(given) > 1 || len(given) == 1 && !subjects.MatchString(given[0]) {
			refuse(recorded, r, http.StatusBadRequest, "bad-request", errors.New("header `x-subject` takes 1 to 256 printable characters"))
			return
		}
		next.ServeHTTP(recorded, r)
	})
}

// limited puts every request under its deadline, in the way of the server's mode.
func limited(s settings, c *census, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if len(r.RequestURI) > 8<<10 {
			closeBehind(w, r)
			refuse(w, r, http.StatusRequestURITooLong, "limit", errors.New("request target over 8192 bytes"))
			return
		}
		timeout, err := budget(r.Header, s.request)
		if err != nil {
			refuse(w, r, http.StatusBadRequest, "bad-request", err)
			return
		}
		ctx := r.Context()
		if s.onDisconnect == "detach" || s.onDisconnect == "serve" && r.ProtoMajor == 1 {
			// Over HTTP/1.1 net/http does not say whether the client closed, reset or only stopped sending: it is all or
			// nothing. Over HTTP/2 a client that only stops sending cancels nothing.
			ctx = context.WithoutCancel(ctx)
		}
		c.add("contexts.live", 1)
		defer c.add("contexts.live", -1)
		switch s.mode {
		case "context":
			ctx, cancel := context.WithTimeout(ctx, timeout)
			defer cancel()
			next.ServeHTTP(w, r.WithContext(ctx))
		case "timeouthandler":
			body := document("context deadline exceeded", "deadline", r)
			http.TimeoutHandler(next, timeout, body).ServeHTTP(w, r.WithContext(ctx))
		case "writetimeout":
			// The limit of the whole server is all there is; what the caller says cannot change it.
			next.ServeHTTP(w, r.WithContext(ctx))
		}
	})
}

// reply answers with v as JSON, or with what err says.
func reply(w http.ResponseWriter, r *http.Request, v map[string]any, err error) {
	var child childFailed
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		w.WriteHeader(http.StatusOK)
		json.NewEncoder(w).Encode(v)
	case errors.Is(err, context.DeadlineExceeded):
		refuse(w, r, http.StatusGatewayTimeout, "deadline", err)
	case errors.Is(err, errShutdown):
		refuse(w, r, http.StatusServiceUnavailable, "shutdown", context.Canceled)
	case errors.Is(err, context.Canceled):
		// net/http gives no cause, but nothing else cancels a request's context while its handler runs.
		refuse(w, r, http.StatusServiceUnavailable, "disconnect", err)
	case errors.Is(err, errUpstream):
		refuse(w, r, http.StatusBadGateway, "upstream", err)
	case errors.Is(err, errDatabase):
		refuse(w, r, http.StatusServiceUnavailable, "database", err)
	case errors.Is(err, errProcess):
		refuse(w, r, http.StatusBadGateway, "child", err)
	case errors.As(err, &child):
		refuse(w, r, http.StatusBadGateway, "child", err)
	case errors.As(err, &tooLarge):
		// MaxBytesReader says so itself, but not through a ResponseWriter that somebody wrapped.
		closeBehind(w, r)
		refuse(w, r, http.StatusRequestEntityTooLarge, "limit", err)
	case errors.Is(err, errBadBody):
		refuse(w, r, http.StatusBadRequest, "bad-request", err)
	default:
		refuse(w, r, http.StatusRequestTimeout, "timeout", err)
	}
}

// closeBehind closes the connection behind the answer; over HTTP/2 the same field would end the streams beside it too.
func closeBehind(w http.ResponseWriter, r *http.Request) {
	if r.ProtoMajor == 1 {
		w.Header().Set("Connection", "close")
	}
}

// refuse answers with an error.
func refuse(w http.ResponseWriter, r *http.Request, status int, reason string, err error) {
	w.WriteHeader(status)
	io.WriteString(w, document(err.Error(), reason, r))
}

func document(text, reason string, r *http.Request) string {
	body, _ := json.Marshal(map[string]string{"error": text, "reason": reason, "request_id": of(r.Context()).id})
	return string(body) + "\n"
}
