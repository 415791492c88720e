-- AlterTable
ALTER TABLE "users" ADD COLUMN "version" INTEGER NOT NULL DEFAULT 1;
ALTER TABLE "users" ADD COLUMN "email_confirmed_at" DATETIME;
ALTER TABLE "users" ADD COLUMN "last_login_at" DATETIME;

-- CreateTable
CREATE TABLE "one_time_tokens" (
    "hash" TEXT NOT NULL PRIMARY KEY,
    "kind" TEXT NOT NULL,
    "user_id" INTEGER NOT NULL,
    "email" TEXT NOT NULL,
    "sessions_epoch" TEXT NOT NULL,
    "new_email" TEXT,
    "expires_at" BIGINT NOT NULL
);

-- CreateIndex
CREATE INDEX "one_time_tokens_expires_at_idx" ON "one_time_tokens"("expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "one_time_tokens_user_id_kind_key" ON "one_time_tokens"("user_id", "kind");

-- Lists of disabled users, in the order of ids (src/database/users.ts).
CREATE INDEX IF NOT EXISTS "users_disabled_idx" ON "users" (("disabled_at" IS NOT NULL)) WHERE "disabled_at" IS NOT NULL;
