-- AlterTable
ALTER TABLE "users" ADD COLUMN "pepper" TEXT;

-- The salt of the names of peppers.
INSERT INTO "secrets" ("name", "value") VALUES ('pepper', hex(randomblob(32)));
