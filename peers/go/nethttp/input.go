package main

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

var (
	durations = regexp.MustCompile(`^\d+(us|ms|s|m|h)$`)
	budgets   = regexp.MustCompile(`^\d{1,8}[HMSmun]$`)
	millis    = regexp.MustCompile(`^\d{1,18}$`)
	printable = regexp.MustCompile(`^[!-~]{1,64}$`)
	subjects  = regexp.MustCompile(`^[ -~]{1,256}$`)
	// A traceparent that is malformed counts as none.
	traceparents = regexp.MustCompile(`^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$`)
	members      = regexp.MustCompile(`^([a-z0-9][a-z0-9_*/@-]{0,255})=[ -+\--<>-~]{1,256}$`)
	units        = map[byte]time.Duration{
		'H': time.Hour, 'M': time.Minute, 'S': time.Second, 'm': time.Millisecond, 'u': time.Microsecond, 'n': time.Nanosecond,
	}
)

// budget returns how long the caller waits, or fallback if that is shorter or the caller does not say.
func budget(header http.Header, fallback time.Duration) (time.Duration, error) {
	shortest := fallback
	read := func(name string, form *regexp.Regexp, unit func(text string) (string, time.Duration)) error {
		for i, text := range header.Values(name) {
			if i > 0 || !form.MatchString(text) {
				return fmt.Errorf("header `%s` is malformed or given more than once", name)
			}
			digits, one := unit(text)
			n, _ := strconv.ParseInt(digits, 10, 64)
			if n <= math.MaxInt64/int64(one) {
				shortest = min(shortest, time.Duration(n)*one)
			}
		}
		return nil
	}
	err := read("grpc-timeout", budgets, func(text string) (string, time.Duration) {
		return text[:len(text)-1], units[text[len(text)-1]]
	})
	if err == nil {
		err = read("x-envoy-expected-rq-timeout-ms", millis, func(text string) (string, time.Duration) {
			return text, time.Millisecond
		})
	}
	return shortest, err
}

// tracestate returns the fields of that name as one list, or nothing when a member of it is malformed.
func tracestate(fields []string) string {
	list, keys := strings.Join(fields, ","), make(map[string]bool)
	for _, member := range strings.Split(list, ",") {
		if member = strings.Trim(member, " \t"); member == "" {
			continue
		}
		match := members.FindStringSubmatch(member)
		if match == nil || keys[match[1]] || len(keys) == 32 {
			return ""
		}
		keys[match[1]] = true
	}
	return list
}

// query reads the parameters of one request; the first thing wrong with them is kept.
type query struct {
	values url.Values
	err    error
}

func newQuery(r *http.Request) *query {
	values, err := url.ParseQuery(r.URL.RawQuery)
	return &query{values: values, err: err}
}

func (q *query) take(name string) (string, bool) {
	texts, given := q.values[name]
	delete(q.values, name)
	if len(texts) > 1 {
		q.wrong(name, "is given more than once")
	}
	return strings.Join(texts, ","), given
}

func (q *query) wrong(name, problem string) {
	if q.err == nil {
		q.err = fmt.Errorf("parameter `%s` %s", name, problem)
	}
}

func (q *query) duration(name string, fallback, least time.Duration) time.Duration {
	text, given := q.take(name)
	if !given {
		return fallback
	}
	d, err := time.ParseDuration(text)
	if err != nil || !durations.MatchString(text) || d < least || d > time.Hour {
		q.wrong(name, fmt.Sprintf("takes a duration from %s to 1h", least))
	}
	return d
}

func (q *query) number(name string, fallback, least, most int) int {
	text, given := q.take(name)
	if !given {
		return fallback
	}
	n, err := strconv.Atoi(text)
	if err != nil || strings.HasPrefix(text, "+") || n < least || n > most {
		q.wrong(name, fmt.Sprintf("takes a whole number from %d to %d", least, most))
	}
	return n
}

// oneOf takes one of the words; the first is what is meant when there is none.
func (q *query) oneOf(name string, words ...string) string {
	text, given := q.take(name)
	if !given {
		return words[0]
	}
	if !slices.Contains(words, text) {
		q.wrong(name, "takes one of "+strings.Join(words, ", "))
	}
	return text
}

// end returns what is wrong with the parameters; one that nobody took is unknown.
func (q *query) end() error {
	for name := range q.values {
		q.wrong(name, "is unknown")
	}
	return q.err
}

const bodyLimit = 1 << 20

var errBadBody, errReadTimeout = errors.New("malformed or incomplete body"), errors.New("request not read in time")

// read reads the body to its end, as handlers do: in their own goroutine, where no context interrupts it.
func read(w http.ResponseWriter, r *http.Request) (int64, error) {
	if r.ContentLength > bodyLimit {
		return 0, &http.MaxBytesError{Limit: bodyLimit}
	}
	n, err := io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, bodyLimit))
	var tooLarge *http.MaxBytesError
	switch {
	case err == nil:
		err = r.Context().Err()
	case errors.Is(err, os.ErrDeadlineExceeded):
		err = errReadTimeout
	case r.Context().Err() != nil:
		err = r.Context().Err()
	case !errors.As(err, &tooLarge):
		err = errBadBody
	}
	return n, err
}
