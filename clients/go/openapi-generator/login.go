package main

import (
	"context"
	"fmt"

	"login/client"
)

func login(email, password string) (string, error) {
	sessions := client.NewAPIClient(client.NewConfiguration()).SessionsAPI
	credentials := client.NewCredentials(email, password)
	session, reply, err := sessions.CreateSession(context.Background()).Credentials(*credentials).Execute()
	if failure, ok := err.(*client.GenericOpenAPIError); ok {
		return "", fmt.Errorf("%d %v", reply.StatusCode, failure.Model())
	}
	return session.GetAuthToken(), err
}
