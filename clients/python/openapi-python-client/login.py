import os

from sessions_api_client import Client
from sessions_api_client.api.sessions import create_session
from sessions_api_client.models import Credentials, Error, InvalidCredentials, Session

credentials = Credentials(email=os.environ["EMAIL"], password=os.environ["PASSWORD"])
with Client(base_url="http://127.0.0.1:3000") as client:
    reply = create_session.sync_detailed(client=client, body=credentials)
match reply.parsed:
    case Session(auth_token=token):
        print(token)
        raise SystemExit(0)
    case Error(message=message, errors=list(errors)):
        print(f"{reply.status_code} {message}:", ", ".join(f"{e.field} {e.message}" for e in errors))
    case Error(message=message) | InvalidCredentials(message=message):
        print(reply.status_code, message)
    case _:
        print(reply.status_code, reply.status_code.phrase)
raise SystemExit(1)
