-- Only users with a password can be stand-ins. The comparison is that of the query (src/database/find-for-login.ts).
DROP INDEX "users_draw_idx";
CREATE INDEX "users_draw_idx" ON "users" ("id" * 2654435769 % 4294967296) WHERE "password_digest" <> '!';
