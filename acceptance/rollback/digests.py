"""Prints what passlib and Werkzeug say of digests: for each whether it accepts its password, or the error's name."""

import json
import sys

from passlib.context import CryptContext
from werkzeug.security import check_password_hash

passlib = CryptContext(schemes=["pbkdf2_sha256", "argon2"])


def outcome_of(check):
    try:
        return check()
    except ValueError:
        return "ValueError"


print(
    json.dumps(
        [
            {
                "passlib": outcome_of(lambda: passlib.verify(each["password"], each["digest"])),
                "werkzeug": outcome_of(lambda: check_password_hash(each["digest"], each["password"])),
            }
            for each in json.load(sys.stdin)
        ]
    )
)
