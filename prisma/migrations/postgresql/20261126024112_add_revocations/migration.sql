-- CreateTable
CREATE TABLE "revoked_tokens" (
    "key" TEXT NOT NULL,
    "user_id" INTEGER NOT NULL,
    "exp" BIGINT NOT NULL,

    CONSTRAINT "revoked_tokens_pkey" PRIMARY KEY ("key")
);

-- CreateTable
CREATE TABLE "session_watermarks" (
    "user_id" INTEGER NOT NULL,
    "exp" BIGINT NOT NULL,

    CONSTRAINT "session_watermarks_pkey" PRIMARY KEY ("user_id")
);

-- CreateIndex
CREATE INDEX "revoked_tokens_exp_idx" ON "revoked_tokens"("exp");

-- CreateIndex
CREATE INDEX "revoked_tokens_user_id_exp_idx" ON "revoked_tokens"("user_id", "exp");

-- CreateIndex
CREATE INDEX "session_watermarks_exp_idx" ON "session_watermarks"("exp");
