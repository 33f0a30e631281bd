"""The peers: other servers of the same network, each as its documentation has it for one row."""
