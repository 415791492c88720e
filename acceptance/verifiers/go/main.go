// Answers each token of standard input with a line, by the program of docs/verifying.md that the argument names.
package main

import (
	"bufio"
	"fmt"
	"os"
	"verifiers/jwks"
	"verifiers/secret"
)

func main() {
	verify := map[string]func(string) (int64, error){"jwks": jwks.Verify, "secret": secret.Verify}[os.Args[1]]
	tokens := bufio.NewScanner(os.Stdin)
	for tokens.Scan() {
		userID, err := verify(tokens.Text())
		if err != nil {
			fmt.Printf("bad %q\n", err)
		} else {
			fmt.Println("good", userID)
		}
	}
}
