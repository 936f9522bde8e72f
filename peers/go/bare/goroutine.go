// Go's net/http whose handler waits for a goroutine, and no longer than its deadline: nothing stops the goroutine.
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
	fmt.Println(http.ListenAndServe("127.0.0.1:"+os.Args[1], nil))
}

func slow(w http.ResponseWriter, r *http.Request) {
	work, err := witness.Ask(r)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	done := make(chan bool, 1)
	go func() {
		for work.More() {
			<-work.Unit()
		}
		work.End()
		done <- true
	}()
	select {
	case <-done:
		fmt.Fprintln(w, "slow")
	case <-time.After(work.Timeout):
		http.Error(w, "too late", http.StatusGatewayTimeout)
	}
}
