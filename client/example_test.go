package client_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/verimails/verimaild/client"
	"github.com/verimails/verimaild/client/apitype"
)

// With a daemon on this host, the zero Client is all that is needed.
func Example() {
	stop := startDaemon() // Stands in for a real one.
	defer stop()

	var c client.Client
	defer c.CloseIdleConnections()

	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	answer, err := c.Verify(ctx, "ada+news@example.com")
	switch {
	case errors.Is(err, client.ErrNoDaemon):
		log.Print(err) // Says on which socket, and how to start one.
		return
	case err != nil:
		log.Print(err)
		return
	}
	switch answer.Verdict {
	case apitype.Undeliverable:
		fmt.Println("please check the address:", answer.Explanation)
	case apitype.Unknown:
		fmt.Println("not known yet:", answer.Reason)
	default:
		fmt.Println("welcome,", answer.Normalized)
	}
	// Output: please check the address: The mail server says that there is no such mailbox.
}

// A refusal by the daemon has a code to act on.
func ExampleError() {
	stop := startDaemon()
	defer stop()

	var c client.Client
	defer c.CloseIdleConnections()

	_, err := c.Verify(context.Background(), "")
	if refusal, ok := errors.AsType[*client.Error](err); ok {
		fmt.Println(refusal.Status, refusal.Code)
	}
	// Output: 400 missing_field
}

// startDaemon serves two replies of a daemon on a socket of its own, and points the environment there.
func startDaemon() (stop func()) {
	dir, err := os.MkdirTemp("", "vm")
	if err != nil {
		log.Fatal(err)
	}
	path := filepath.Join(dir, "verimaild.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		log.Fatal(err)
	}
	srv := &http.Server{ReadHeaderTimeout: time.Second, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		if r.ContentLength < int64(len(`{"email":"a"}`)) {
			w.WriteHeader(http.StatusBadRequest)
			fmt.Fprint(w, `{"error":{"code":"missing_field","message":"The field \"email\" is missing or empty.","retry_after_ms":null}}`)
			return
		}
		fmt.Fprint(w, `{"email":"ada+news@example.com","normalized":"ada+news@example.com","verdict":"undeliverable",`+
			`"reason":"mailbox_not_found","explanation":"The mail server says that there is no such mailbox."}`)
	})}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	os.Setenv(client.SocketEnv, path)
	return func() {
		os.Unsetenv(client.SocketEnv)
		srv.Close()
		<-done
		os.RemoveAll(dir)
	}
}
