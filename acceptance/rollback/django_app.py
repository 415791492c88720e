"""A Django app: `sign-up` creates the tables and the users, `log-in` prints for each whether it may, or the error.

A JSON array of emails and passwords comes on standard input.
"""

import json
import os
import sys

import django
from django.conf import settings

hashers = {}
exec(os.environ.get("HASHERS", ""), hashers)
settings.configure(
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            **{key: os.environ[f"PG{key}"] for key in ("HOST", "PORT", "USER", "PASSWORD")},
            "NAME": os.environ["PGDATABASE"],
        }
    },
    INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
    USE_TZ=True,
    **{name: value for name, value in hashers.items() if name.isupper()},
)
django.setup()

from django.contrib.auth import authenticate  # noqa: E402
from django.contrib.auth.models import User  # noqa: E402
from django.core.management import call_command  # noqa: E402


def outcome_of(email, password):
    user = User.objects.get(email=email)
    try:
        return authenticate(username=user.username, password=password) is not None
    except ValueError as error:
        return str(error)


users = json.load(sys.stdin)
if sys.argv[1] == "sign-up":
    call_command("migrate", verbosity=0)
    for user in users:
        User.objects.create_user(username=user["email"].split("@")[0], **user)
    # Nobody whom the service can log in.
    User.objects.create_user(username="without-email", password="has none")
else:
    print(json.dumps([outcome_of(**user) for user in users]))
