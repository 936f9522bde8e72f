// The fast/slow server on Go's net/http, with its deadline kept in one of the three ways that Go programs keep it:
//
//	context         context.WithTimeout(r.Context(), d), select on ctx.Done(), 504
//	timeouthandler  http.TimeoutHandler: 503, and a goroutine left behind
//	writetimeout    http.Server.WriteTimeout alone: nobody is told, and nothing is answered
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"syscall"
	"time"
)

// errShutdown is the cause of a request that a shutdown has no patience left for.
var errShutdown = errors.New("shutdown")

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Println(runtime.Version())
		return
	}
	if len(os.Args) > 1 && os.Args[1] == workerWord {
		worker(os.Args[2:])
		return
	}
	s, err := parse(os.Args[1:])
	if err != nil {
		// The package writes flags with one dash, and everybody else with two.
		fmt.Fprintln(os.Stderr, regexp.MustCompile(` -+(\w)`).ReplaceAllString(err.Error(), " --$1"))
		os.Exit(2)
	}
	answered, err := serve(s)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	if err != nil || !answered {
		os.Exit(1)
	}
}

// serve serves until a signal stops it and reports whether all work has ended.
func serve(s settings) (answered bool, err error) {
	runtime.GOMAXPROCS(s.threads)
	census, err := newCensus("go-"+s.mode, s.witness)
	if err != nil {
		return false, err
	}
	listener, err := net.Listen("tcp", s.listen)
	if err != nil {
		return false, err
	}
	admin, err := net.Listen("tcp", s.admin)
	if err != nil {
		return false, err
	}
	base, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	// HTTP/2 with prior knowledge on the same port: the client's preface decides. The other two modes show one thing each,
	// and over HTTP/1.1.
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(s.mode == "context")
	server := &http.Server{
		Protocols: &protocols,
		// WriteTimeout ends a stream; only WriteByteTimeout ends a connection whose client reads nothing.
		HTTP2:             &http.HTTP2Config{MaxConcurrentStreams: 100, WriteByteTimeout: s.write},
		Handler:           newHandler(s, census),
		BaseContext:       func(net.Listener) context.Context { return base },
		ConnState:         census.connState,
		ReadHeaderTimeout: s.readHeader,
		ReadTimeout:       s.read,
		WriteTimeout:      s.write,
		IdleTimeout:       s.idle,
		MaxHeaderBytes:    16 << 10,
	}
	if s.mode == "writetimeout" {
		server.WriteTimeout = s.request
	}
	fmt.Printf("listening on http://%s\nadmin on http://%s\n", listener.Addr(), admin.Addr())
	go http.Serve(admin, census.admin())
	stopped, restore := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	go server.Serve(listener)
	<-stopped.Done()
	// From here on a second signal kills the process, as it would any other.
	restore()

	// Shutdown does not cancel the requests that run, so when its patience ends the context above them all does it.
	patience, done := context.WithTimeout(context.Background(), s.shutdown)
	defer done()
	if server.Shutdown(patience) != nil {
		cancel(errShutdown)
		// A connection in HTTP/2 stays for 1 s behind its last stream.
		grace, done := context.WithTimeout(context.Background(), 2*time.Second)
		defer done()
		err = server.Shutdown(grace)
	}
	return err == nil && census.get("work.live") == 0, nil
}
