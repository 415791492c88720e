import os
import sys

from sessions_api_client import AuthenticatedClient, Client
from sessions_api_client.api.sessions import create_session, list_own_sessions, refresh_session
from sessions_api_client.api.users import create_user
from sessions_api_client.models import Credentials, InvalidCredentials, Renewal, Session, Sessions, User, UserCreation

SERVER = "http://127.0.0.1:3000"


def run(email: str, password: str, admin_token: str | None) -> None:
    if admin_token:
        users = AuthenticatedClient(SERVER, admin_token)
        created = create_user.sync(client=users, body=UserCreation(email=email, password=password))
        if not isinstance(created, User):
            sys.exit(f"not created: {created}")
        print("user", created.id)

    client = Client(SERVER)
    reply = create_session.sync_detailed(client=client, body=Credentials(email=email, password=password))
    match reply.parsed:
        case Session() as session:
            pass
        case InvalidCredentials(message=message):
            sys.exit(f"401 {message}")
        case _ if reply.status_code == 429:
            sys.exit(f"429, try again after {reply.headers['Retry-After']} s")
        case error:
            sys.exit(f"{reply.status_code} {error}")

    if session.refresh_token:
        renewed = refresh_session.sync(client=client, body=Renewal(refresh_token=session.refresh_token))
        if not isinstance(renewed, Session):
            sys.exit(f"not renewed: {renewed}")
        session = renewed
    print("token", session.auth_token)

    own = list_own_sessions.sync(client=AuthenticatedClient(SERVER, session.auth_token))
    if not isinstance(own, Sessions):
        sys.exit(f"no sessions: {own}")
    print("sessions", len(own.sessions))


run(os.environ["EMAIL"], os.environ["PASSWORD"], os.environ.get("ADMIN_TOKEN"))
