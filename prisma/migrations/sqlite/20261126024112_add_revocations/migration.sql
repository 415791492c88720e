-- CreateTable
CREATE TABLE "revoked_tokens" (
    "key" TEXT NOT NULL PRIMARY KEY,
    "user_id" INTEGER NOT NULL,
    "exp" BIGINT NOT NULL
);

-- CreateTable
CREATE TABLE "session_watermarks" (
    "user_id" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "exp" BIGINT NOT NULL
);

-- CreateIndex
CREATE INDEX "revoked_tokens_exp_idx" ON "revoked_tokens"("exp");

-- CreateIndex
CREATE INDEX "revoked_tokens_user_id_exp_idx" ON "revoked_tokens"("user_id", "exp");

-- CreateIndex
CREATE INDEX "session_watermarks_exp_idx" ON "session_watermarks"("exp");
