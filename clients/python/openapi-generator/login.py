import os

from openapi_client import ApiException, Credentials, Error, InvalidCredentials, SessionsApi
from pydantic import ValidationError

try:
    credentials = Credentials(email=os.environ["EMAIL"], password=os.environ["PASSWORD"])
    print(SessionsApi().create_session(credentials).auth_token)
    raise SystemExit(0)
except ValidationError as invalid:
    print("; ".join(f"{error['loc'][0]}: {error['msg']}" for error in invalid.errors()))
except ApiException as error:
    match error.data:
        case Error(message=message, errors=list(errors)):
            print(f"{error.status} {message}:", ", ".join(f"{e.var_field} {e.message}" for e in errors))
        case Error(message=message) | InvalidCredentials(message=message):
            print(error.status, message)
        case _:
            print(error.status, error.reason)
raise SystemExit(1)
