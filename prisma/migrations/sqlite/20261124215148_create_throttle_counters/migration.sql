-- CreateTable
CREATE TABLE "throttle_counters" (
    "key" TEXT NOT NULL PRIMARY KEY,
    "failures" INTEGER NOT NULL,
    "expires_at" BIGINT NOT NULL
);

-- CreateIndex
CREATE INDEX "throttle_counters_expires_at_idx" ON "throttle_counters"("expires_at");
