// The fast/slow server on Go's net/http, with its deadline kept in one of the three ways that Go programs keep it:
//
//	context         context.WithTimeout(r.Context(), d), select on ctx.Done(), 504
//	timeouthandler  http.TimeoutHandler: 503, and a goroutine left behind
//	writetimeout    http.Server.WriteTimeout alone: nobody is told, and nothing is answered
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// errShutdown is the cause of a request that a shutdown has no patience left for.
var errShutdown = errors.New("shutdown")

// settings are the flags. Those that net/http has no counterpart for are taken, so that every server can be started alike,
// and have no effect: --blocking-threads and --max-connections.
type settings struct {
	mode, listen, admin, witness, onDisconnect       string
	threads, blockingThreads, maxConnections         int
	request, readHeader, read, write, idle, shutdown time.Duration
}

func parse(args []string) (s settings, err error) {
	flags := flag.NewFlagSet("go-peer", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	oneOf := func(target *string, name string, words ...string) {
		*target = words[0]
		flags.Func(name, "", func(text string) error {
			if *target = text; !strings.Contains("|"+strings.Join(words, "|")+"|", "|"+text+"|") {
				return fmt.Errorf("takes one of %s", strings.Join(words, ", "))
			}
			return nil
		})
	}
	oneOf(&s.mode, "mode", "context", "timeouthandler", "writetimeout")
	oneOf(&s.onDisconnect, "on-disconnect", "cancel", "detach")
	flags.StringVar(&s.listen, "listen", "127.0.0.1:0", "")
	flags.StringVar(&s.admin, "admin", "127.0.0.1:0", "")
	flags.StringVar(&s.witness, "witness", "", "")
	flags.IntVar(&s.threads, "threads", runtime.NumCPU(), "")
	flags.IntVar(&s.blockingThreads, "blocking-threads", 512, "")
	flags.IntVar(&s.maxConnections, "max-connections", 20000, "")
	flags.DurationVar(&s.request, "request-timeout", 2*time.Second, "")
	flags.DurationVar(&s.readHeader, "read-header-timeout", 5*time.Second, "")
	flags.DurationVar(&s.read, "read-timeout", 10*time.Second, "")
	flags.DurationVar(&s.write, "write-timeout", 10*time.Second, "")
	flags.DurationVar(&s.idle, "idle-timeout", time.Minute, "")
	flags.DurationVar(&s.shutdown, "shutdown-timeout", 5*time.Second, "")
	flags.VisitAll(func(f *flag.Flag) {
		name := "LAB_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		if text, ok := os.LookupEnv(name); ok && err == nil {
			if wrong := f.Value.Set(text); wrong != nil {
				err = fmt.Errorf("invalid value %q for %s: %w", text, name, wrong)
			}
		}
	})
	if err == nil {
		err = flags.Parse(args)
	}
	if err == nil && s.threads < 1 {
		err = errors.New("-threads takes a whole number, 1 or more")
	}
	return s, err
}

func main() {
	if len(os.Args) == 2 && os.Args[1] == "--version" {
		fmt.Println(runtime.Version())
		return
	}
	s, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, regexp.MustCompile(`\s+`).ReplaceAllString(err.Error(), " "))
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
	server := &http.Server{
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
		grace, done := context.WithTimeout(context.Background(), time.Second)
		defer done()
		err = server.Shutdown(grace)
	}
	return err == nil && census.get("work.live") == 0, nil
}
