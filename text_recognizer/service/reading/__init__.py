"""Reading in the server: loaded models, batching, promotions, shadow readings and canaries."""
