"""What shall people read? Records, diagnosis, page, history and certification; no cloud is touched."""
