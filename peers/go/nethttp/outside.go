package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

var (
	errUpstream = errors.New("upstream failed")
	errProcess  = errors.New("process failed")
)

// calls makes one connection for each call, so that a call that is given up closes its connection.
var calls = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// upstream lets the server at --upstream do the work, with what is left of the budget less the reserve.
func (p slow) upstream(ctx context.Context, s settings, r *request) error {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(s.request)
	}
	budget := time.Until(deadline) - s.reserve
	if budget < time.Microsecond {
		return late(ctx, s, deadline)
	}
	ask, err := p.ask(ctx, s, budget)
	if err != nil {
		return errUpstream
	}
	r.census.add("outside.calls", 1)
	defer r.census.add("outside.calls", -1)
	status := 0
	err = r.work(func(func()) error {
		answer, err := calls.Do(ask)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return errUpstream
		}
		defer answer.Body.Close()
		if status = answer.StatusCode; status != http.StatusOK {
			return errUpstream
		}
		return nil
	})
	if status == http.StatusGatewayTimeout {
		return late(ctx, s, deadline)
	}
	return err
}

// ask returns the request to the upstream. In mode context it is canceled with its context; the other modes make it as
// http.Get does, which knows no context.
func (p slow) ask(ctx context.Context, s settings, budget time.Duration) (*http.Request, error) {
	style := "context"
	if p.hops > 1 {
		style = fmt.Sprintf("upstream&hops=%d", p.hops-1)
	}
	url := fmt.Sprintf("http://%s/slow?work=%dus&tick=%dus&style=%s", s.upstream, p.work.Microseconds(), p.tick.Microseconds(), style)
	carries := ctx
	if s.mode != "context" {
		carries = context.WithoutCancel(ctx)
	}
	ask, err := http.NewRequestWithContext(carries, "GET", url, nil)
	if err != nil {
		return nil, err
	}
	who := of(ctx)
	ask.Header.Set("grpc-timeout", grpcTimeout(budget))
	if who.given {
		ask.Header.Set("X-Request-Id", who.id)
	}
	if who.traceparent != "" {
		// The same trace and flags, with a number of the call's own.
		ask.Header.Set("traceparent", fmt.Sprintf("%s%016x%s", who.traceparent[:36], rand.Uint64()|1, who.traceparent[52:]))
		if who.tracestate != "" {
			ask.Header.Set("tracestate", who.tracestate)
		}
	}
	return ask, nil
}

// grpcTimeout writes a budget in at most eight digits, rounded down.
func grpcTimeout(budget time.Duration) string {
	if micros := budget.Microseconds(); micros < 1e8 {
		return strconv.FormatInt(micros, 10) + "u"
	}
	return strconv.FormatInt(min(budget.Milliseconds(), 1e8-1), 10) + "m"
}

// late returns the deadline's error; an upstream that had less time waits for what is left, for a 504 is never early.
func late(ctx context.Context, s settings, deadline time.Time) error {
	if time.Until(deadline) > s.reserve+time.Millisecond {
		return context.DeadlineExceeded
	}
	select {
	case <-time.After(time.Until(deadline)):
		return context.DeadlineExceeded
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// workerWord is the first argument that makes this executable a worker.
const workerWord = "__work"

// process does the work in a child process. In mode context it is killed and reaped when its context ends.
func (p slow) process(ctx context.Context, s settings, r *request) error {
	words := []string{workerWord, strconv.Itoa(os.Getpid()), p.work.String(), p.tick.String(), r.id, s.witness}
	command := exec.Command("/proc/self/exe", words...)
	if s.mode == "context" {
		command = exec.CommandContext(ctx, "/proc/self/exe", words...)
	}
	// Its own group: a Ctrl-C at the terminal is the server's to obey.
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	r.census.add("outside.processes", 1)
	defer r.census.add("outside.processes", -1)
	return r.work(func(func()) error {
		err := command.Run()
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err != nil:
			return errProcess
		}
		return nil
	})
}

// worker ticks and beats to the end of the work; its server says when it begins and ends.
func worker(words []string) {
	if len(words) != 5 || strconv.Itoa(os.Getppid()) != words[0] {
		os.Exit(1)
	}
	work, err1 := time.ParseDuration(words[1])
	tick, err2 := time.ParseDuration(words[2])
	if err1 != nil || err2 != nil {
		os.Exit(1)
	}
	var witness io.Writer = io.Discard
	if words[3] != "" && words[4] != "" {
		if conn, err := net.Dial("udp", words[4]); err == nil {
			witness = conn
		}
	}
	beats := 0
	for end := range (slow{work: work, tick: tick}).ticks() {
		time.Sleep(time.Until(end))
		beats++
		fmt.Fprintf(witness, "%s beat %d", words[3], beats)
	}
}
