package main

import "context"
import "fmt"
import "login/client"

func login(email, password string) (string, error) {
	sessions, err := client.NewClientWithResponses("http://127.0.0.1:3000")
	if err != nil {
		return "", err
	}
	credentials := client.Credentials{Email: email, Password: password}
	reply, err := sessions.CreateSessionWithResponse(context.Background(), nil, credentials)
	if err != nil {
		return "", err
	} else if reply.JSON200 == nil {
		return "", fmt.Errorf("%s %s", reply.Status(), reply.Body)
	}
	return reply.JSON200.AuthToken, nil
}
