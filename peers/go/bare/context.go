// Go's net/http with nothing around it: the work listens to the context of the request.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"

	witness ".."
)

func main() {
	http.HandleFunc("/fast", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "fast") })
	http.HandleFunc("/slow", slow)
	fmt.Println(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}

func slow(w http.ResponseWriter, r *http.Request) {
	work, err := witness.Ask(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), work.Timeout)
	defer cancel()
	defer work.End()
	for work.More() {
		select {
		case <-work.Unit():
		case <-ctx.Done():
			http.Error(w, ctx.Err().Error(), http.StatusGatewayTimeout)
			return
		}
	}
	fmt.Fprintln(w, "slow")
}
