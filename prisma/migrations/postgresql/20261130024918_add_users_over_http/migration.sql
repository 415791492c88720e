-- AlterTable
ALTER TABLE "users" ADD COLUMN     "email_confirmed_at" TIMESTAMP(3),
ADD COLUMN     "last_login_at" TIMESTAMP(3),
ADD COLUMN     "version" INTEGER NOT NULL DEFAULT 1;

-- CreateTable
CREATE TABLE "one_time_tokens" (
    "hash" TEXT NOT NULL,
    "kind" TEXT NOT NULL,
    "user_id" INTEGER NOT NULL,
    "email" TEXT NOT NULL,
    "sessions_epoch" TEXT NOT NULL,
    "new_email" TEXT,
    "expires_at" BIGINT NOT NULL,

    CONSTRAINT "one_time_tokens_pkey" PRIMARY KEY ("hash")
);

-- CreateIndex
CREATE INDEX "one_time_tokens_expires_at_idx" ON "one_time_tokens"("expires_at");

-- CreateIndex
CREATE UNIQUE INDEX "one_time_tokens_user_id_kind_key" ON "one_time_tokens"("user_id", "kind");

-- Lists of disabled users, in the order of ids, and of users by the beginning of their email (src/database/users.ts). An operator
-- may have built them before, without blocking writes.
CREATE INDEX IF NOT EXISTS "users_disabled_idx" ON "users" (("disabled_at" IS NOT NULL), "id") WHERE "disabled_at" IS NOT NULL;
CREATE INDEX IF NOT EXISTS "users_email_prefix_idx" ON "users" (left("email", 254) COLLATE "C");
