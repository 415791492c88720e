// Runs the sample as the environment says; each generator has one of its own.
package main

import (
	"fmt"
	"os"
)

func main() {
	if err := run(os.Getenv("EMAIL"), os.Getenv("PASSWORD"), os.Getenv("ADMIN_TOKEN")); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}
