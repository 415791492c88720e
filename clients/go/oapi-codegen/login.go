package main

import (
	"context"
	"fmt"
	"net/http"

	"login/client"
)

func bearer(token string) client.RequestEditorFn {
	return func(_ context.Context, request *http.Request) error {
		request.Header.Set("Authorization", "Bearer "+token)
		return nil
	}
}

func run(email, password, adminToken string) error {
	api, err := client.NewClientWithResponses("http://127.0.0.1:3000")
	if err != nil {
		return err
	}
	ctx := context.Background()

	if adminToken != "" {
		user := client.UserCreation{Email: email, Password: password}
		created, err := api.CreateUserWithResponse(ctx, nil, user, bearer(adminToken))
		if err != nil {
			return err
		} else if created.JSON201 == nil {
			return fmt.Errorf("%s %s", created.Status(), created.Body)
		}
		fmt.Println("user", created.JSON201.Id)
	}

	credentials := client.Credentials{Email: email, Password: password}
	login, err := api.CreateSessionWithResponse(ctx, nil, credentials)
	switch {
	case err != nil:
		return err
	case login.JSON401 != nil:
		return fmt.Errorf("401 %s", login.JSON401.Message)
	case login.JSON429 != nil:
		return fmt.Errorf("429, try again after %d s", login.Headers429.RetryAfter)
	case login.JSON200 == nil:
		return fmt.Errorf("%s %s", login.Status(), login.Body)
	}
	session := login.JSON200

	if session.RefreshToken != "" {
		renewal := client.Renewal{RefreshToken: session.RefreshToken}
		renewed, err := api.RefreshSessionWithResponse(ctx, nil, renewal)
		if err != nil {
			return err
		} else if renewed.JSON200 == nil {
			return fmt.Errorf("%s %s", renewed.Status(), renewed.Body)
		}
		session = renewed.JSON200
	}
	fmt.Println("token", session.AuthToken)

	own, err := api.ListOwnSessionsWithResponse(ctx, nil, bearer(session.AuthToken))
	if err != nil {
		return err
	} else if own.JSON200 == nil {
		return fmt.Errorf("%s %s", own.Status(), own.Body)
	}
	fmt.Println("sessions", len(own.JSON200.Sessions))
	return nil
}
