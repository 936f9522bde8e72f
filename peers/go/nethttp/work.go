package main

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"syscall"
	"time"
)

// slow are the parameters of one piece of work.
type slow struct {
	work, tick  time.Duration
	style, body string
	hops        int // servers that pass the work on, this one included
}

// ticks yields the instants at which the units of work end, counted from now.
func (p slow) ticks() iter.Seq[time.Time] {
	return func(yield func(time.Time) bool) {
		start := time.Now()
		for done := time.Duration(0); done < p.work; {
			done = min(done+p.tick, p.work)
			if !yield(start.Add(done)) {
				return
			}
		}
	}
}

// run does the work in its style and returns why it was given up, or nil.
func (p slow) run(ctx context.Context, s settings, r *request) error {
	var err error
	switch p.style {
	case "context":
		err = r.work(func(beat func()) error { return p.cooperate(ctx, beat) })
	case "drop", "detached": // A goroutine has no handle to drop: both are abandoned in the same way.
		err = abandon(ctx, r, p.sleep)
	case "blocking":
		err = abandon(ctx, r, p.block)
	case "polling":
		err = abandon(ctx, r, func(beat func()) error { return p.poll(ctx, beat) })
	case "spin":
		err = abandon(ctx, r, p.spin)
	case "process":
		err = p.process(ctx, s, r)
	case "upstream":
		err = p.upstream(ctx, s, r)
	case "query":
		err = p.query(ctx, s, r)
	case "query-dropped":
		err = abandon(ctx, r, func(func()) error { return p.sleepThere(context.WithoutCancel(ctx), s, r) })
	}
	// Work that ends late is late, whichever case the select took.
	if err == nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return err
}

// abandon waits for the work or for the context, whichever is first. Nothing stops a goroutine from outside.
func abandon(ctx context.Context, r *request, work func(beat func()) error) error {
	// Buffered, so that work which nobody waits for any more can hand over its result and end.
	done := make(chan error, 1)
	go func() { done <- r.work(work) }()
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// cooperate waits for its next tick or for its context.
func (p slow) cooperate(ctx context.Context, beat func()) error {
	for end := range p.ticks() {
		select {
		case <-time.After(time.Until(end)):
			beat()
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// sleep knows no context.
func (p slow) sleep(beat func()) error {
	for end := range p.ticks() {
		time.Sleep(time.Until(end))
		beat()
	}
	return nil
}

// block knows no context and holds a thread of the operating system, as a call into C or a slow disk does.
func (p slow) block(beat func()) error {
	for end := range p.ticks() {
		for left := time.Until(end); left > 0; left = time.Until(end) {
			rest := syscall.NsecToTimespec(left.Nanoseconds())
			syscall.Nanosleep(&rest, nil)
		}
		beat()
	}
	return nil
}

// poll asks its context at every tick.
func (p slow) poll(ctx context.Context, beat func()) error {
	for end := range p.ticks() {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		time.Sleep(time.Until(end))
		beat()
	}
	return nil
}

// spin burns CPU; the runtime preempts it, so it starves nobody, and nothing ends it either.
func (p slow) spin(beat func()) error {
	for end := range p.ticks() {
		for time.Now().Before(end) {
		}
		beat()
	}
	return nil
}

// childFailed is the failure of one child of a group.
type childFailed int

func (child childFailed) Error() string { return fmt.Sprintf("child %d failed", int(child)) }

// fanout runs a group of children that cannot outlive it; the first failure cancels the others.
func fanout(ctx context.Context, r *request, width, fail int, p slow) error {
	group, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	var children sync.WaitGroup
	for number := range width {
		child := p
		if number == fail {
			child.work = p.tick
		}
		children.Go(func() {
			err := r.work(func(beat func()) error { return child.cooperate(group, beat) })
			if err == nil && number == fail {
				cancel(childFailed(number))
			}
		})
	}
	children.Wait()
	return context.Cause(group)
}
