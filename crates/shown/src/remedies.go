// The ways to stop work, in Go. Run, it says whether each of them does.
package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"time"
)

func ask(ctx context.Context, items []int, step func(int)) error {
	// shown: ask
	for _, item := range items {
		if err := ctx.Err(); err != nil {
			return err
		}
		step(item)
	}
	// shown: end
	return nil
}

func spawn(ctx context.Context, work func(context.Context)) {
	// shown: cancel
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the work when this function returns
	go work(ctx)
	// shown: end
	time.Sleep(time.Millisecond)
}

func bound(ctx context.Context, conn net.Conn) {
	// shown: bound
	deadline, _ := ctx.Deadline()
	conn.SetDeadline(deadline)
	// shown: end
}

func move(ctx context.Context, crunch func(context.Context) error) error {
	// shown: move
	// Go interrupts loops by itself;
	// crunch checks the context, as above
	err := crunch(ctx)
	// shown: end
	return err
}

func kill(ctx context.Context) error {
	// shown: kill
	err := exec.CommandContext(ctx, "sleep", "60").Run()
	// shown: end
	return err
}

func query(ctx context.Context, db *sql.DB, text string) (*sql.Rows, error) {
	// shown: query
	rows, err := db.QueryContext(ctx, text)
	// shown: end
	return rows, err
}

func watch(r *http.Request) context.Context {
	// shown: watch
	// net/http cancels it when the client leaves
	ctx := r.Context()
	// shown: end
	return ctx
}

func must(holds bool, what string) {
	if !holds {
		fmt.Fprintln(os.Stderr, what)
		os.Exit(1)
	}
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()

	ended, end := context.WithCancel(context.Background())
	steps := 0
	err := ask(ended, []int{1, 2, 3}, func(item int) {
		if steps++; item == 2 {
			end()
		}
	})
	must(errors.Is(err, context.Canceled) && steps == 2, "ask")

	told := make(chan struct{})
	spawn(context.Background(), func(ctx context.Context) {
		<-ctx.Done()
		close(told)
	})
	<-told

	ours, theirs := net.Pipe()
	defer theirs.Close()
	bound(ctx, ours)
	_, err = ours.Read(make([]byte, 1))
	must(errors.Is(err, os.ErrDeadlineExceeded), "bound")

	err = move(ended, func(ctx context.Context) error { return ctx.Err() })
	must(errors.Is(err, context.Canceled), "move")

	began := time.Now()
	soon, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	must(kill(soon) != nil && time.Since(began) < 30*time.Second, "kill")

	left := make(chan error, 1)
	client, leave := context.WithCancel(context.Background())
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		ctx := watch(r)
		leave() // not before the request is here
		<-ctx.Done()
		left <- ctx.Err()
	}))
	request, _ := http.NewRequestWithContext(client, http.MethodGet, server.URL, nil)
	_, err = http.DefaultClient.Do(request)
	must(err != nil && errors.Is(<-left, context.Canceled), "watch")
	_ = query // needs a database
	fmt.Println("ok")
}
