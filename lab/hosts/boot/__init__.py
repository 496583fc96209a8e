"""From power-on to init: boot loader, kernel, drivers, kernel log."""
