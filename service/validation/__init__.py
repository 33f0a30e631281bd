"""What is wrong with a body, looked for only where no reader takes it."""
