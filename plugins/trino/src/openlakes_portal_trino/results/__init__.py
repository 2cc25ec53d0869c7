"""Results on disk: where they lie, the forms they are sent in, and what is computed over them."""
