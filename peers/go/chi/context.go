// chi as its documentation writes a slow handler: it selects on the context of the request.
package main

import (
	"context"
	"fmt"
	"net/http"
	"os"

	witness ".."
	"github.com/go-chi/chi"
)

func main() {
	r := chi.NewRouter()
	r.Get("/fast", func(w http.ResponseWriter, r *http.Request) { w.Write([]byte("fast\n")) })
	r.Get("/slow", slow)
	r.Post("/slow", slow)
	fmt.Println(http.ListenAndServe("127.0.0.1:"+os.Args[1], r))
}

func slow(w http.ResponseWriter, r *http.Request) {
	work, err := witness.Ask(r)
	if err != nil {
		http.Error(w, err.Error(), 400)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), work.Timeout)
	defer cancel()
	defer work.End()
	for work.More() {
		select {
		case <-work.Unit():
		case <-ctx.Done():
			w.WriteHeader(504)
			return
		}
	}
	w.Write([]byte("slow\n"))
}
