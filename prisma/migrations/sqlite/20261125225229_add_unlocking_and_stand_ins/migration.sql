-- AlterTable
ALTER TABLE "users" ADD COLUMN "password_changed_at" DATETIME;
ALTER TABLE "users" ADD COLUMN "unlocked_at" DATETIME;

-- CreateTable
CREATE TABLE "secrets" (
    "name" TEXT NOT NULL PRIMARY KEY,
    "value" TEXT NOT NULL
);

-- A user's place in the draw of stand-ins (src/database/find-for-login.ts): Knuth's multiplicative hash spreads ids evenly.
CREATE INDEX "users_draw_idx" ON "users" ("id" * 2654435769 % 4294967296);

INSERT INTO "secrets" ("name", "value") VALUES ('stand_in', hex(randomblob(32)));
