// How soon a query is gone from pg_stat_activity when its context ends: lib/pq and pgx.
//
// Usage: query URL TRIES. It is built without modules, from Debian's sources of both drivers.
package main

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"slices"
	"strconv"
	"time"

	"github.com/jackc/pgx/v4"
	"github.com/jackc/pgx/v4/pgxpool"
	_ "github.com/lib/pq"
)

const (
	query  = "SELECT pg_sleep(1.5)"
	before = 200 * time.Millisecond
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// watch sends how long after the context's end the query was last seen.
func watch(url string, done chan<- time.Duration) {
	conn, err := pgx.Connect(context.Background(), url)
	check(err)
	defer conn.Close(context.Background())
	var began time.Time
	for {
		active := 0
		err := conn.QueryRow(context.Background(),
			"SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query = $1", query).Scan(&active)
		check(err)
		switch {
		case active > 0 && began.IsZero():
			began = time.Now()
		case active == 0 && !began.IsZero():
			done <- time.Since(began.Add(before))
			return
		}
		time.Sleep(500 * time.Microsecond)
	}
}

func main() {
	url := os.Args[1]
	tries, err := strconv.Atoi(os.Args[2])
	check(err)
	background := context.Background()
	database, err := sql.Open("postgres", url)
	check(err)
	pool, err := pgxpool.Connect(background, url)
	check(err)
	for _, one := range []struct {
		name, way string
		run       func(context.Context)
	}{
		{"lib/pq", "`ExecContext`, its context ends", func(ctx context.Context) { database.ExecContext(ctx, query) }},
		{"pgx v4", "`pgxpool`, its context ends", func(ctx context.Context) { pool.Exec(ctx, query) }},
	} {
		var times []time.Duration
		for range tries {
			done := make(chan time.Duration, 1)
			go watch(url, done)
			time.Sleep(50 * time.Millisecond)
			ctx, cancel := context.WithTimeout(background, before)
			one.run(ctx)
			times = append(times, <-done)
			cancel()
		}
		slices.Sort(times)
		ms := func(d time.Duration) float64 { return float64(d.Microseconds()) / 1e3 }
		fmt.Printf("| %s | %s | %d | %.1f | %.1f |\n", one.name, one.way, tries, ms(times[len(times)/2]), ms(times[len(times)-1]))
	}
}
