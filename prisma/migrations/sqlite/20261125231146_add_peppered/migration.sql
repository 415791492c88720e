-- AlterTable
ALTER TABLE "users" ADD COLUMN "peppered" BOOLEAN;
