"""The compiled search: a day as plain arrays, changed in place by numba kernels. Asked by the search and by questions about plans."""
