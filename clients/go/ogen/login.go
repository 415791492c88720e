package main

import (
	"context"
	"fmt"

	"login/api"
)

type tokens struct{ admin, user string }

func (t *tokens) AdminToken(context.Context, api.OperationName) (api.AdminToken, error) {
	return api.AdminToken{Token: t.admin}, nil
}

func (t *tokens) UserToken(context.Context, api.OperationName) (api.UserToken, error) {
	return api.UserToken{Token: t.user}, nil
}

func run(email, password, adminToken string) error {
	tokens := tokens{admin: adminToken}
	client, err := api.NewClient("http://127.0.0.1:3000", &tokens)
	if err != nil {
		return err
	}
	ctx := context.Background()

	if adminToken != "" {
		user := api.UserCreation{Email: api.Email(email), Password: api.NewOptPassword(api.Password(password))}
		reply, err := client.CreateUser(ctx, &user, api.CreateUserParams{})
		if err != nil {
			return err
		}
		created, ok := reply.(*api.CreateUserCreatedHeaders)
		if !ok {
			return fmt.Errorf("%T %+v", reply, reply)
		}
		fmt.Println("user", created.Response.ID)
	}

	credentials := api.CreateSessionApplicationJSON{Email: api.Email(email), Password: api.Password(password)}
	reply, err := client.CreateSession(ctx, &credentials, api.CreateSessionParams{})
	if err != nil {
		return err
	}
	var session api.Session
	switch reply := reply.(type) {
	case *api.CreateSessionOKHeaders:
		session = reply.Response
	case *api.InvalidCredentialsHeaders:
		return fmt.Errorf("401 %s", reply.Response.Message)
	case *api.TooManyRequestsHeaders:
		return fmt.Errorf("429, try again after %d s", reply.RetryAfter)
	default:
		return fmt.Errorf("%T %+v", reply, reply)
	}

	if refreshToken, ok := session.RefreshToken.Get(); ok {
		renewal := api.RefreshSessionApplicationJSON{RefreshToken: refreshToken}
		reply, err := client.RefreshSession(ctx, &renewal, api.RefreshSessionParams{})
		if err != nil {
			return err
		}
		renewed, ok := reply.(*api.SessionHeaders)
		if !ok {
			return fmt.Errorf("%T %+v", reply, reply)
		}
		session = renewed.Response
	}
	fmt.Println("token", session.AuthToken)

	tokens.user = session.AuthToken
	own, err := client.ListOwnSessions(ctx, api.ListOwnSessionsParams{})
	if err != nil {
		return err
	}
	sessions, ok := own.(*api.SessionsHeaders)
	if !ok {
		return fmt.Errorf("%T %+v", own, own)
	}
	fmt.Println("sessions", len(sessions.Response.Sessions))
	return nil
}
