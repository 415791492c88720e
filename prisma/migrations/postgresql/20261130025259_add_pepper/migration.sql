-- AlterTable
ALTER TABLE "users" ADD COLUMN     "pepper" TEXT;

-- The salt of the names of peppers.
INSERT INTO "secrets" ("name", "value") VALUES ('pepper', concat(gen_random_uuid(), gen_random_uuid()));
