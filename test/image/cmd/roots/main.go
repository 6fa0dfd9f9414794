// Command roots prints the certificates that the image trusts. The Dockerfile
// calls it, so that both ways of making an image trust the same.
package main

import (
	"fmt"
	"os"

	"pullcause/test/image/roots"
)

func main() {
	text, err := roots.PEM()
	if err == nil {
		_, err = os.Stdout.Write(text)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "roots:", err)
		os.Exit(1)
	}
}
