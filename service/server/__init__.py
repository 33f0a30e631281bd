"""The server: a process, its listening socket, and the processes that share it."""
