//go:build linux

// Command pause does nothing until it is told to stop: it is what the sandboxes
// and containers of the lab's images run. With an argument it ends at once, as an
// init container should. Package lab builds it by itself, so it is one file that
// needs the standard library only.
package main

import (
	"os"
	"os/signal"
	"syscall"
)

func main() {
	if len(os.Args) > 1 {
		return
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	<-stop
}
