package main

import "context"
import "fmt"
import "login/api"

func login(email, password string) (string, error) {
	client, err := api.NewClient("http://127.0.0.1:3000", nil)
	if err != nil {
		return "", err
	}
	credentials := api.CreateSessionApplicationJSON{Email: email, Password: password}
	reply, err := client.CreateSession(context.Background(), &credentials, api.CreateSessionParams{})
	if err != nil {
		return "", err
	} else if session, ok := reply.(*api.CreateSessionOKHeaders); ok {
		return session.Response.AuthToken, nil
	}
	return "", fmt.Errorf("%T %+v", reply, reply)
}
