// Logs in as the environment says; each generator has a login of its own.
package main

import (
	"fmt"
	"os"
)

func main() {
	token, err := login(os.Getenv("EMAIL"), os.Getenv("PASSWORD"))
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(token)
}
