"""How containers reach each other, the host and the world: addresses, links, published ports, files that name them."""
