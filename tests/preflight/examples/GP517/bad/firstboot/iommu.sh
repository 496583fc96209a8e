#!/bin/bash
set -e
sed -i 's/^GRUB_CMDLINE_LINUX="\(.*\)"/GRUB_CMDLINE_LINUX="\1 intel_iommu=on iommu=pt"/' /etc/default/grub
grep -q intel_iommu=on /etc/default/grub
if [ -d /sys/firmware/efi ]; then grub2-mkconfig -o "$(readlink -f /etc/grub2-efi.cfg)"; else grub2-mkconfig -o /etc/grub2.cfg; fi
reboot
