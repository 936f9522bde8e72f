//go:build query

package main

// The driver is no part of a build without the tag: query.mod takes it from Debian's golang-github-lib-pq-dev.
import _ "github.com/lib/pq"
