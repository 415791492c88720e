-- AlterTable
ALTER TABLE "users" ADD COLUMN "sessions_epoch" TEXT NOT NULL DEFAULT '';

-- CreateTable
CREATE TABLE "sessions" (
    "id" TEXT NOT NULL PRIMARY KEY,
    "user_id" INTEGER NOT NULL,
    "epoch" TEXT NOT NULL,
    "created_at" BIGINT NOT NULL,
    "last_used_at" BIGINT NOT NULL,
    "expires_at" BIGINT NOT NULL,
    "address" TEXT NOT NULL,
    "user_agent" TEXT,
    "refresh_key" TEXT,
    "refresh_hash" TEXT,
    "generation" INTEGER NOT NULL DEFAULT 0,
    "parent" INTEGER NOT NULL DEFAULT 0
);

-- CreateIndex
CREATE INDEX "sessions_user_id_created_at_idx" ON "sessions"("user_id", "created_at");

-- CreateIndex
CREATE INDEX "sessions_expires_at_idx" ON "sessions"("expires_at");

-- No row tells which tokens of these users had ended: they log in once more.
UPDATE "users" SET "sessions_epoch" = lower(hex(randomblob(16)))
WHERE "id" IN (SELECT "user_id" FROM "session_watermarks" UNION SELECT "user_id" FROM "revoked_tokens");
