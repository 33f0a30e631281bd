"""Tables: how any table is fitted, judged and refused."""
