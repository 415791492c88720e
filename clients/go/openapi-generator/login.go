package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"login/client"
)

func run(email, password, adminToken string) error {
	api := client.NewAPIClient(client.NewConfiguration())
	ctx := context.Background()

	if adminToken != "" {
		admin := context.WithValue(ctx, client.ContextAccessToken, adminToken)
		creation := client.NewUserCreation(email)
		creation.SetPassword(password)
		user, reply, err := api.UsersAPI.CreateUser(admin).UserCreation(*creation).Execute()
		if err != nil {
			return failure(reply, err)
		}
		fmt.Println("user", user.GetId())
	}

	credentials := client.NewCredentials(email, password)
	session, reply, err := api.SessionsAPI.CreateSession(ctx).Credentials(*credentials).Execute()
	if err != nil {
		return failure(reply, err)
	}
	if session.HasRefreshToken() {
		renewal := client.NewRenewal(session.GetRefreshToken())
		session, reply, err = api.SessionsAPI.RefreshSession(ctx).Renewal(*renewal).Execute()
		if err != nil {
			return failure(reply, err)
		}
	}
	fmt.Println("token", session.GetAuthToken())

	caller := context.WithValue(ctx, client.ContextAccessToken, session.GetAuthToken())
	own, reply, err := api.SessionsAPI.ListOwnSessions(caller).Execute()
	if err != nil {
		return failure(reply, err)
	}
	fmt.Println("sessions", len(own.GetSessions()))
	return nil
}

func failure(reply *http.Response, err error) error {
	var failed *client.GenericOpenAPIError
	if !errors.As(err, &failed) {
		return err
	}
	switch model := failed.Model().(type) {
	case client.InvalidCredentials:
		return fmt.Errorf("401 %s", model.GetMessage())
	case client.Error:
		if reply.StatusCode == http.StatusTooManyRequests {
			return fmt.Errorf("429, try again after %s s", reply.Header.Get("Retry-After"))
		}
		return fmt.Errorf("%d %s %v", reply.StatusCode, model.GetMessage(), model.GetErrors())
	}
	return err
}
