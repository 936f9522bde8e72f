package main

import (
	"database/sql"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
)

// settings are the flags. Those that net/http has no counterpart for are taken, so that every server can be started alike,
// and have no effect: --blocking-threads and --max-connections.
type settings struct {
	mode, listen, admin, witness, onDisconnect, upstream, database string
	threads, blockingThreads, maxConnections                       int
	request, readHeader, read, write, idle, shutdown               time.Duration
	reserve                                                        time.Duration
	pool                                                           *sql.DB // nil without --database
}

func parse(args []string) (s settings, err error) {
	flags := flag.NewFlagSet("go-peer", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	oneOf := func(target *string, name string, words ...string) {
		*target = words[0]
		flags.Func(name, "", func(text string) error {
			if *target = text; !slices.Contains(words, text) {
				return fmt.Errorf("takes one of %s", strings.Join(words, ", "))
			}
			return nil
		})
	}
	timeout := func(target *time.Duration, name string, fallback time.Duration) {
		*target = fallback
		flags.Func(name, "", func(text string) (err error) {
			if *target, err = time.ParseDuration(text); err != nil || *target <= 0 {
				err = errors.New("takes a duration such as 250ms, 2s or 1m, above zero")
			}
			return err
		})
	}
	oneOf(&s.mode, "mode", "context", "timeouthandler", "writetimeout")
	oneOf(&s.onDisconnect, "on-disconnect", "cancel", "serve", "detach")
	flags.StringVar(&s.listen, "listen", "127.0.0.1:0", "")
	flags.StringVar(&s.admin, "admin", "127.0.0.1:0", "")
	flags.StringVar(&s.witness, "witness", "", "")
	flags.StringVar(&s.upstream, "upstream", "", "")
	flags.Func("database", "", func(text string) (err error) {
		s.database = text
		s.pool, err = open(text)
		return err
	})
	flags.IntVar(&s.threads, "threads", runtime.NumCPU(), "")
	flags.IntVar(&s.blockingThreads, "blocking-threads", 512, "")
	flags.IntVar(&s.maxConnections, "max-connections", 20000, "")
	timeout(&s.request, "request-timeout", 2*time.Second)
	timeout(&s.readHeader, "read-header-timeout", 5*time.Second)
	timeout(&s.read, "read-timeout", 10*time.Second)
	timeout(&s.write, "write-timeout", 10*time.Second)
	timeout(&s.idle, "idle-timeout", time.Minute)
	timeout(&s.shutdown, "shutdown-timeout", 5*time.Second)
	timeout(&s.reserve, "reserve", 5*time.Millisecond)
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
		err = errors.New("flag -threads takes a whole number, 1 or more")
	}
	return s, err
}
