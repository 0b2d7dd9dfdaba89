"""What any program needs: files, tables, progress, memory, devices, processes."""
