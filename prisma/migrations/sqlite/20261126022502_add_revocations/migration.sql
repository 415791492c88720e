-- CreateTable
CREATE TABLE "revoked_tokens" (
    "key" TEXT NOT NULL PRIMARY KEY,
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
CREATE INDEX "session_watermarks_exp_idx" ON "session_watermarks"("exp");
