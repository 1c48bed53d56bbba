// Command agent is the agent of the tests on a real node: a small static program that says which
// prompt and tools it runs with, so that a test can ask what runs and not only the API.
//
//	agent serve    answers GET / on port 8080 with the files under /etc/agent and its variables
//	agent pause    does nothing until it is told to end: what holds a pod's namespaces
package main

import (
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

const (
	folder  = "/etc/agent"
	address = ":8080"
	largest = 1 << 20
)

// said is what the agent runs with.
type said struct {
	Files     map[string]string `json:"files"`
	Variables map[string]string `json:"variables"`
}

func main() {
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, syscall.SIGTERM, syscall.SIGINT)
	if len(os.Args) < 2 {
		usage()
	}
	switch os.Args[1] {
	case "pause":
	case "serve":
		go serve()
	default:
		usage()
	}
	<-ended
}

func serve() {
	server := &http.Server{Addr: address, Handler: http.HandlerFunc(answer), ReadHeaderTimeout: 5 * time.Second}
	log.Fatal(server.ListenAndServe())
}

func answer(response http.ResponseWriter, _ *http.Request) {
	found := said{Files: map[string]string{}, Variables: map[string]string{}}
	names, _ := filepath.Glob(folder + "/*")
	for _, name := range names {
		if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() || info.Size() > largest {
			continue
		}
		if text, err := os.ReadFile(name); err == nil {
			found.Files[filepath.Base(name)] = string(text)
		}
	}
	for _, variable := range os.Environ() {
		name, value, _ := strings.Cut(variable, "=")
		found.Variables[name] = value
	}
	response.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(response).Encode(found)
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: agent serve|pause")
	os.Exit(2)
}
