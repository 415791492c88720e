-- CreateTable
CREATE TABLE "token_lifetimes" (
    "seconds" INTEGER NOT NULL,
    "issued_until" BIGINT NOT NULL,

    CONSTRAINT "token_lifetimes_pkey" PRIMARY KEY ("seconds")
);

-- Keys the throttle's counters where no JWT_SECRET does.
INSERT INTO "secrets" ("name", "value") VALUES ('throttle', concat(gen_random_uuid(), gen_random_uuid()));
