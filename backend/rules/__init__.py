"""Care rules as data: limits and radii with their source."""
