import os
import sys

from openapi_client import ApiClient, ApiException, Configuration, Credentials, InvalidCredentials
from openapi_client import Renewal, SessionsApi, UserCreation, UsersApi
from pydantic import ValidationError


def client(token: str | None = None) -> ApiClient:
    return ApiClient(Configuration(access_token=token))


def run(email: str, password: str, admin_token: str | None) -> None:
    if admin_token:
        users = UsersApi(client(admin_token))
        print("user", users.create_user(UserCreation(email=email, password=password)).id)

    sessions = SessionsApi(client())
    session = sessions.create_session(Credentials(email=email, password=password))
    if session.refresh_token:
        session = sessions.refresh_session(Renewal(refresh_token=session.refresh_token))
    print("token", session.auth_token)

    own = SessionsApi(client(session.auth_token)).list_own_sessions()
    print("sessions", len(own.sessions))


try:
    run(os.environ["EMAIL"], os.environ["PASSWORD"], os.environ.get("ADMIN_TOKEN"))
except ValidationError as invalid:
    sys.exit("; ".join(f"{error['loc'][0]}: {error['msg']}" for error in invalid.errors()))
except ApiException as error:
    match error.data:
        case InvalidCredentials(message=message):
            sys.exit(f"401 {message}")
        case _ if error.status == 429 and error.headers:
            sys.exit(f"429, try again after {error.headers['Retry-After']} s")
        case data:
            sys.exit(f"{error.status} {data}")
