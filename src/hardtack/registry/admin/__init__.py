"""`/api/v1/`: everything that is administered, as JSON; the same functions as behind the commands and the pages."""
