"""The artifact: one file that holds a trained model, its checks, and its card."""
