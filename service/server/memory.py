"""Memory: a process that answers keeps what it has, and does not go through it over and over."""

from __future__ import annotations

import ctypes
import gc

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
"""As <malloc.h> numbers them."""

KEPT_BYTES = 2**24
"""So much may be free at the end of the heap before some is given back."""

HEAP_BYTES = 2**22
"""A larger block is mapped by itself, and given back as soon as it is freed."""


def settle() -> None:
    """Keep freed memory for the next batch, and exclude existing objects from garbage collection.

    With glibc's own bounds, of 128 KiB, each batch gives back what it has used, and the next has
    the kernel make it anew page by page.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):  # other systems' allocators have other ways
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)
        libc.mallopt(M_MMAP_THRESHOLD, HEAP_BYTES)
    gc.freeze()
