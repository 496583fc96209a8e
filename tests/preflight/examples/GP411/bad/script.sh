#!/bin/bash
set -e
grubby --update-kernel=ALL --args="intel_iommu=on iommu=pt"
dnf -y update
reboot
