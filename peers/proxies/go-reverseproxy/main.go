// A reverse proxy as https://pkg.go.dev/net/http/httputil#example-ReverseProxy has it.
package main

import (
	"context"
	"fmt"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"os/signal"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"
)

func main() {
	if os.Args[1] == "--version" {
		fmt.Println("net/http/httputil of", runtime.Version())
		return
	}
	first := &url.URL{Scheme: "http", Host: os.Args[2]}
	second := &url.URL{Scheme: "http", Host: os.Args[3]}

	// Knob: ResponseHeaderTimeout bounds the silence before an answer; there is none for silence in its middle.
	brief := http.DefaultTransport.(*http.Transport).Clone()
	brief.ResponseHeaderTimeout = time.Second

	mux := http.NewServeMux()
	mux.Handle("/", proxyTo(http.DefaultTransport, first))
	mux.Handle("/brief/", proxyTo(brief, first))
	mux.Handle("/pair/", proxyTo(brief, first, second))

	server := &http.Server{Addr: os.Args[1], Handler: mux}
	stop, _ := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	drained := make(chan struct{})
	go func() {
		<-stop.Done()
		server.Shutdown(context.Background())
		close(drained)
	}()
	if err := server.ListenAndServe(); err != http.ErrServerClosed {
		log.Fatal(err)
	}
	<-drained
}

// proxyTo takes the targets in turn.
func proxyTo(transport http.RoundTripper, targets ...*url.URL) *httputil.ReverseProxy {
	var next atomic.Uint32
	return &httputil.ReverseProxy{
		Transport: transport,
		Rewrite: func(r *httputil.ProxyRequest) {
			target := targets[int(next.Add(1)-1)%len(targets)]
			r.SetURL(target)
			r.Out.Host = r.In.Host
			r.SetXForwarded()
		},
	}
}
