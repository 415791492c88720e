// Answers each token of standard input with a line, by the program of docs/verifying-programs.md that the argument names.
package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"verifiers/jwks"
	"verifiers/secret"

	"github.com/golang-jwt/jwt/v5"
)

func main() {
	verify := map[string]func(string) (int64, error){"jwks": jwks.Verify, "secret": secret.Verify}[os.Args[1]]
	tokens := bufio.NewScanner(os.Stdin)
	for tokens.Scan() {
		userID, err := verify(tokens.Text())
		if errors.Is(err, jwt.ErrTokenUnverifiable) && !hasKeys() {
			fmt.Printf("down %q\n", err)
		} else if err != nil {
			fmt.Printf("bad %q\n", err)
		} else {
			fmt.Println("good", userID)
		}
	}
}

func hasKeys() bool {
	set, err := jwks.Keys.VerificationKeySet(context.Background())
	return err == nil && len(set.Keys) > 0
}
