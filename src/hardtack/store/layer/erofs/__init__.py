"""The layer driver that unpacks nothing: the tar is kept, an EROFS image of its names points into it."""
