-- For the names of peppers (src/database/find-peppers.ts). A migration of its own: the column needs another lock, for a moment only.
CREATE INDEX "users_pepper_idx" ON "users" ("pepper");
