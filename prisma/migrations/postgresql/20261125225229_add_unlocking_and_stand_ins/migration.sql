-- AlterTable
ALTER TABLE "users" ADD COLUMN     "password_changed_at" TIMESTAMP(3),
ADD COLUMN     "unlocked_at" TIMESTAMP(3);

-- CreateTable
CREATE TABLE "secrets" (
    "name" TEXT NOT NULL,
    "value" TEXT NOT NULL,

    CONSTRAINT "secrets_pkey" PRIMARY KEY ("name")
);

-- A user's place in the draw of stand-ins (src/database/find-for-login.ts): Knuth's multiplicative hash spreads ids evenly.
CREATE INDEX "users_draw_idx" ON "users" (("id" * 2654435769 % 4294967296));

INSERT INTO "secrets" ("name", "value") VALUES ('stand_in', concat(gen_random_uuid(), gen_random_uuid()));
