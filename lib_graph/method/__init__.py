"""The mathematics of docs/method.md §1–4: tensors in, tensors out."""
