-- CreateTable
CREATE TABLE "token_lifetimes" (
    "seconds" INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    "issued_until" BIGINT NOT NULL
);

-- Keys the throttle's counters where no JWT_SECRET does.
INSERT INTO "secrets" ("name", "value") VALUES ('throttle', hex(randomblob(32)));
