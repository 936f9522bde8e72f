package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
)

var errDatabase = errors.New("database failed")

// connections are the most that are open to the database.
const connections = 8

// open returns the pool of the database at that URL, with no connection in it yet.
func open(text string) (*sql.DB, error) {
	if !slices.Contains(sql.Drivers(), "postgres") {
		return nil, errors.New("is not there: this server was built without a driver for PostgreSQL (-tags query)")
	}
	at, err := url.Parse(text)
	if err != nil || at.Scheme != "postgres" && at.Scheme != "postgresql" {
		return nil, errors.New("takes a URL like postgres://user:password@127.0.0.1:5432/name")
	}
	options := at.Query()
	options.Set("sslmode", "disable")
	// The driver waits so long for the answer to its log-in, whatever a context says.
	options.Set("connect_timeout", "1")
	at.RawQuery = options.Encode()
	pool, err := sql.Open("postgres", at.String())
	if err == nil {
		pool.SetMaxOpenConns(connections)
		pool.SetMaxIdleConns(connections)
	}
	return pool, err
}

// query lets the database do the work. In mode context the driver cancels it when its context ends; the other modes ask with
// Exec, which knows no context.
func (p slow) query(ctx context.Context, s settings, r *request) error {
	carries := ctx
	if s.mode != "context" {
		carries = context.WithoutCancel(ctx)
	}
	return r.work(func(func()) error { return p.sleepThere(carries, s, r) })
}

// sleepThere has the database sleep for as long as the work takes.
func (p slow) sleepThere(ctx context.Context, s settings, r *request) error {
	r.census.add("outside.queries", 1)
	defer r.census.add("outside.queries", -1)
	// The id is in a comment, which no asterisk of it can end.
	id := strings.ReplaceAll(of(ctx).id, "*", "?")
	_, err := s.pool.ExecContext(ctx, fmt.Sprintf("/* %s */ SELECT pg_sleep(%f)", id, p.work.Seconds()))
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err != nil:
		return errDatabase
	}
	return nil
}
