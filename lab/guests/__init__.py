"""What is inside the lab's instances: images, packages, driver, CUDA's tools, cloud-init."""
