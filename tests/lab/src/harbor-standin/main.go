// harbor-standin answers for Harbor in tests: projects and robot accounts by version 2.0 of its API, and their logins before a registry.
// It keeps all in memory, and prints every request with its user and status. It is no registry itself: it hands on what a login may do.
package main

import (
	"flag"
	"fmt"
	"log"
	"net/http"
	"os"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:0", "address")
	certificate := flag.String("certificate", "", "certificate for TLS")
	key := flag.String("key", "", "its key")
	upstream := flag.String("registry", "", "URL of the registry behind it; its certificate is not checked")
	prefix := flag.String("prefix", "robot$", "what stands before the names of robot accounts")
	flag.Parse()
	log.SetFlags(0)
	harbor := newHarbor(os.Getenv("HARBOR_ADMIN_PASSWORD"), *prefix)
	mux := http.NewServeMux()
	harbor.serveAPI(mux)
	harbor.serveRegistry(mux, *upstream)
	server := &http.Server{Addr: *listen, Handler: harbor.logged(mux)}
	if *certificate == "" {
		log.Fatal(server.ListenAndServe())
	}
	log.Fatal(server.ListenAndServeTLS(*certificate, *key))
}

// logged prints `METHOD path status user`.
func (h *harbor) logged(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorder := &recorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(recorder, r)
		user, _, _ := r.BasicAuth()
		fmt.Fprintln(os.Stderr, r.Method, r.URL.Path, recorder.status, user)
	})
}

type recorder struct {
	http.ResponseWriter
	status int
}

func (r *recorder) WriteHeader(status int) {
	r.status = status
	r.ResponseWriter.WriteHeader(status)
}

func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
