// Asks the kernel whether the client of a request has closed its end.
package main

import (
	"context"
	"net"
	"net/http"

	"golang.org/x/sys/unix"
)

type key struct{}

// keep is the server's ConnContext.
func keep(ctx context.Context, conn net.Conn) context.Context {
	return context.WithValue(ctx, key{}, conn)
}

func left(r *http.Request) (left bool) {
	conn, err := r.Context().Value(key{}).(*net.TCPConn).SyscallConn()
	if err != nil {
		return true
	}
	conn.Control(func(fd uintptr) {
		n, _ := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLRDHUP}}, 0)
		left = n > 0
	})
	return left
}
