"""The numbered SQL files of the database, applied in their order; `database.MIGRATIONS` lists them."""
