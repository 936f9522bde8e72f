// Go's net/http whose work asks the kernel, between two units, whether the client has closed its end.
package main

import (
	"fmt"
	"net/http"
	"os"
	"time"

	witness ".."
)

func main() {
	http.HandleFunc("/fast", func(w http.ResponseWriter, r *http.Request) { fmt.Fprintln(w, "fast") })
	http.HandleFunc("/slow", slow)
	server := http.Server{Addr: "127.0.0.1:" + os.Args[1], ConnContext: keep}
	fmt.Println(server.ListenAndServe())
}

func slow(w http.ResponseWriter, r *http.Request) {
	work, err := witness.Ask(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	deadline := time.Now().Add(work.Timeout)
	defer work.End()
	for work.More() {
		if <-work.Unit(); left(r) {
			return
		}
		if time.Now().After(deadline) {
			http.Error(w, "too late", http.StatusGatewayTimeout)
			return
		}
	}
	fmt.Fprintln(w, "slow")
}
