"""What is asked of a network after its build."""
